import { describe, expect, it } from 'vitest'
import { encodePath, folderOf, trailOf } from './jobs/artifact_paths'
import { filled, variableProblem } from './variable_rows'
import { bytesWords, failureWords, skippedWords, slug } from './words'

describe('words', () => {
  it('tells sizes', () => {
    expect([0, 1, 1023, 1536, 10 * 1024 * 1024, 150 * 1024 ** 3].map(bytesWords)).toEqual(['0 bytes', '1 byte', '1023 bytes', '1.5 KiB', '10.0 MiB', '150 GiB'])
  })

  it('has a sentence for every failure, known or not', () => {
    expect(failureWords('script_failure')).toMatch(/script/)
    expect(failureWords('something_new')).toBe('The job failed: something new.')
    expect(failureWords(null)).toBe('')
  })

  it('makes paths of names', () => {
    expect(['My Project!', '  Überraschung  ', 'a--b', '...', 'C++ tools'].map(slug)).toEqual(['my-project', 'uberraschung', 'a-b', '', 'c-tools'])
  })
})

describe('paths of artifacts', () => {
  it('stand in addresses piece by piece', () => {
    expect([folderOf(undefined), folderOf('a/b/'), folderOf(['a', 'b'])]).toEqual(['', 'a/b/', 'a/b/'])
    expect(encodePath('a b/#c?/ü.txt')).toBe('a%20b/%23c%3F/%C3%BC.txt')
    expect(trailOf('a/b/')).toEqual([{ name: 'a', path: 'a' }, { name: 'b', path: 'a/b' }])
  })
})

describe('variables of a form', () => {
  it('are sent without the empty rows, and must have keys', () => {
    expect(filled([{ key: ' A ', value: 'x' }, { key: '', value: '' }])).toEqual([{ key: 'A', value: 'x' }])
    expect(variableProblem([{ key: '', value: 'x' }])).toMatch(/needs a key/)
    expect(variableProblem([{ key: 'A-B', value: '' }])).toMatch(/no key/)
    expect(variableProblem([{ key: 'A', value: '' }, { key: '', value: '' }])).toBe('')
  })
})

describe('why a job was skipped', () => {
  it('is told in words, and only when the note is one that is known', () => {
    expect(skippedWords('when: on_success, earlier stages are failed')).toBe('It runs only when everything before it has passed; the earlier stages are: failed.')
    expect(skippedWords('when: on_failure, needed jobs are success')).toBe('It runs only when something before it has failed; the needed jobs are: success.')
    expect([skippedWords(null), skippedWords('something else')]).toEqual(['', ''])
  })
})
