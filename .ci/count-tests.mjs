/** Prints `N passed, N failed` from the JSON report of Vitest; a test file that could not be loaded counts as one failure. */
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const unloadable = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
console.log(`${report.numPassedTests} passed, ${report.numFailedTests + unloadable.length} failed`)
