/**
 * Prints `N passed, N failed` over the JSON reports of Vitest that it is given; a test file that could not be loaded
 * counts as one failure.
 */
import { readFileSync } from 'node:fs'

let passed = 0
let failed = 0
for (const path of process.argv.slice(2)) {
  const report = JSON.parse(readFileSync(path, 'utf8'))
  const unloadable = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
  passed += report.numPassedTests
  failed += report.numFailedTests + unloadable.length
}
console.log(`${passed} passed, ${failed} failed`)
