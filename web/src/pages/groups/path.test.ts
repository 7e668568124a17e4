import { expect, it } from 'vitest'
import { pathFromName } from './path'

it('makes a path of a name', () => {
  expect(pathFromName('Build Farm (Köln)')).toBe('build-farm-koln')
  expect(pathFromName('..a//b..')).toBe('a-b')
  expect(pathFromName('日本')).toBe('')
})
