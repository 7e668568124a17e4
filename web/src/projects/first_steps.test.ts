import { expect, it } from 'vitest'
import { firstSteps, word } from './first_steps'

it('quotes only what a shell would take apart', () => {
  expect(word('https://ci.example/a/b.git')).toBe('https://ci.example/a/b.git')
  expect(word("O'Brien $(id)")).toBe(`'O'\\''Brien $(id)'`)
})

it('names the branch and the address everywhere', () => {
  const steps = firstSteps({ url: 'https://ci.example/a/b.git', path: 'b', branch: 'trunk', name: 'Ann', email: 'ann@example.com' })
  expect(steps.map((step) => step.heading)).toEqual(['Git global setup', 'Create a new repository', 'Push an existing folder', 'Push an existing Git repository'])
  expect(steps[1].lines).toContain('git push --set-upstream origin trunk')
  expect(firstSteps({ url: 'u', path: 'p', branch: 'm', name: '', email: '' }).length).toBe(3)
})
