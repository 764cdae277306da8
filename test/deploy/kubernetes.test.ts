import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { environmentName, settingNames, settingNotes, settingsSchema } from '../../cli/setting-list.ts'
import { catalogueTopic } from '../../schemas/topics.ts'
import { filesBelow, root } from '../house/source-files.ts'
import { readYaml } from './read-yaml.ts'

/** The fields of the Kubernetes and KEDA APIs that the manifests use; an unknown field is a mistake. */
const text = z.string()
const whole = z.string().regex(/^\d+$/)
const quantity = z.string().regex(/^\d+(m|Mi|Gi)?$/)
const labels = z.record(text, text)
const meta = z.strictObject({ name: text, labels: labels.optional() })
const selector = z.strictObject({ matchLabels: labels })
const probe = z.strictObject({
  httpGet: z.strictObject({ path: z.enum(['/livez', '/readyz']), port: z.literal('http') }),
  periodSeconds: whole,
  timeoutSeconds: whole.optional(),
  failureThreshold: whole.optional(),
})

const configMap = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('ConfigMap'),
  metadata: meta,
  data: labels,
})

const container = z.strictObject({
  name: text,
  image: z.string().regex(/:\d+\.\d+\.\d+$/),
  args: z.array(text),
  envFrom: z.array(z.strictObject({ configMapRef: z.strictObject({ name: text }) })),
  ports: z.array(z.strictObject({ name: text, containerPort: whole })),
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  resources: z.strictObject({
    requests: z.strictObject({ cpu: quantity, memory: quantity }),
    limits: z.strictObject({ memory: quantity }),
  }),
  securityContext: z.strictObject({
    allowPrivilegeEscalation: z.literal('false'),
    readOnlyRootFilesystem: z.literal('true'),
    capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
  }),
  volumeMounts: z.array(z.strictObject({ name: text, mountPath: text, readOnly: z.literal('true').optional() })),
})

const volume = z.strictObject({
  name: text,
  emptyDir: z.strictObject({ sizeLimit: quantity }).optional(),
  secret: z.strictObject({ secretName: text }).optional(),
  configMap: z.strictObject({ name: text }).optional(),
})

const deployment = z.strictObject({
  apiVersion: z.literal('apps/v1'),
  kind: z.literal('Deployment'),
  metadata: meta,
  spec: z.strictObject({
    selector,
    strategy: z.strictObject({
      type: z.literal('RollingUpdate'),
      rollingUpdate: z.strictObject({ maxSurge: whole, maxUnavailable: whole }),
    }),
    template: z.strictObject({
      metadata: z.strictObject({ labels, annotations: labels }),
      spec: z.strictObject({
        automountServiceAccountToken: z.literal('false'),
        terminationGracePeriodSeconds: whole,
        securityContext: z.strictObject({
          runAsNonRoot: z.literal('true'),
          runAsUser: whole,
          runAsGroup: whole,
          fsGroup: whole,
          seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }),
        }),
        topologySpreadConstraints: z.array(
          z.strictObject({ maxSkew: whole, topologyKey: text, whenUnsatisfiable: text, labelSelector: selector }),
        ),
        containers: z.tuple([container]),
        volumes: z.array(volume),
      }),
    }),
  }),
})

const triggerAuthentication = z.strictObject({
  apiVersion: z.literal('keda.sh/v1alpha1'),
  kind: z.literal('TriggerAuthentication'),
  metadata: meta,
  spec: z.strictObject({ secretTargetRef: z.array(z.strictObject({ parameter: text, name: text, key: text })) }),
})

const scaledObject = z.strictObject({
  apiVersion: z.literal('keda.sh/v1alpha1'),
  kind: z.literal('ScaledObject'),
  metadata: meta,
  spec: z.strictObject({
    scaleTargetRef: z.strictObject({ name: text }),
    pollingInterval: whole,
    cooldownPeriod: whole,
    minReplicaCount: whole,
    maxReplicaCount: whole,
    advanced: z.strictObject({
      horizontalPodAutoscalerConfig: z.strictObject({
        behavior: z.strictObject({
          scaleDown: z.strictObject({
            stabilizationWindowSeconds: whole,
            policies: z.array(
              z.strictObject({ type: z.enum(['Pods', 'Percent']), value: whole, periodSeconds: whole }),
            ),
          }),
        }),
      }),
    }),
    triggers: z.tuple([
      z.strictObject({
        type: z.literal('kafka'),
        metadata: z.strictObject({
          bootstrapServers: text,
          consumerGroup: text,
          topic: text,
          lagThreshold: whole,
          offsetResetPolicy: z.enum(['earliest', 'latest']),
          sasl: z.enum(['plaintext', 'scram_sha256', 'scram_sha512']),
          tls: z.enum(['enable', 'disable']),
        }),
        authenticationRef: z.strictObject({ name: text }),
      }),
    ]),
  }),
})

const disruptionBudget = z.strictObject({
  apiVersion: z.literal('policy/v1'),
  kind: z.literal('PodDisruptionBudget'),
  metadata: meta,
  spec: z.strictObject({ maxUnavailable: whole, selector }),
})

const read = (name: string) => readYaml(readFileSync(join(root, 'deploy/kubernetes', name), 'utf8'))

const [settings, workers] = z.tuple([configMap, deployment]).parse(read('worker.yaml'))
const [login, scaling] = z.tuple([triggerAuthentication, scaledObject]).parse(read('autoscaling.yaml'))
const [budget] = z.tuple([disruptionBudget]).parse(read('disruption.yaml'))
const pod = workers.spec.template.spec
const [worker] = pod.containers

test('every manifest says that it was checked by schema only', () => {
  const files = filesBelow('deploy/kubernetes', ['.yaml'])
  expect(files.length).toBe(3)
  expect(files.filter((file) => !file.text.includes('Checked by schema only')).map((file) => file.path)).toEqual([])
})

test('the settings exist and are valid; secrets are named by file', () => {
  const byEnvironment = new Map(settingNames.map((name) => [environmentName(name), name]))
  const values: Record<string, string> = {}
  for (const [variable, value] of Object.entries(settings.data)) {
    const name = byEnvironment.get(variable.replace(/_FILE$/, ''))
    expect(name, variable).toBeDefined()
    expect(settingNotes[name!].secret === true, variable).toBe(variable.endsWith('_FILE'))
    if (!variable.endsWith('_FILE')) values[name!] = value
  }
  expect(settingsSchema.parse(values).drain).toBeLessThan(Number(pod.terminationGracePeriodSeconds) * 1_000)
})

test('whatever is named by another part is there', () => {
  const own = workers.spec.selector.matchLabels
  expect(workers.spec.template.metadata.labels).toMatchObject(own)
  expect(budget.spec.selector.matchLabels).toEqual(own)
  expect(scaling.spec.scaleTargetRef.name).toBe(workers.metadata.name)
  expect(scaling.spec.triggers[0].authenticationRef.name).toBe(login.metadata.name)
  expect(worker.envFrom[0]!.configMapRef.name).toBe(settings.metadata.name)
  expect(worker.volumeMounts.map(({ name }) => name)).toEqual(pod.volumes.map(({ name }) => name))
  expect(String(worker.ports[0]!.containerPort)).toBe(settings.data['RHEO_HTTP_PORT'])
  expect(worker.volumeMounts.map(({ mountPath }) => mountPath)).toContain(settings.data['RHEO_STATE'])
})

test('KEDA watches a topic that exists, with as many workers as it has partitions', () => {
  const { topic, bootstrapServers } = scaling.spec.triggers[0].metadata
  const payments = catalogueTopic('fraud', 'payments')!
  expect(topic).toBe(payments.name)
  expect(Number(scaling.spec.maxReplicaCount)).toBe(payments.partitions)
  expect(bootstrapServers).toBe(settings.data['RHEO_KAFKA'])
})
