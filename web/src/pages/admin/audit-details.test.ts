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
