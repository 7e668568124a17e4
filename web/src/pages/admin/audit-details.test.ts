import { expect, it } from 'vitest'
import { detailLines } from './audit-details'

it('shows plain values, lists and changes', () => {
  expect(detailLines({ runner_type: 'group_type', tag_list: { from: ['a'], to: [] }, paused: { from: false, to: true }, note: null })).toEqual([
    'runner type: group_type',
    'tag list: a → none',
    'paused: false → true',
  ])
  expect(detailLines(null)).toEqual([])
})

it('shows each change and each given attribute for itself', () => {
  expect(detailLines({ changes: { paused: { from: false, to: true } } })).toEqual(['paused: false → true'])
  expect(detailLines({ runner_type: 'x', attributes: { description: '', tag_list: [], locked: true } })).toEqual(['runner type: x', 'locked: true'])
})
