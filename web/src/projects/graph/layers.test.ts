import { describe, expect, it } from 'vitest'
import type { GraphJob, GraphStage } from '../types'
import { layersOf, pictureOf, relatives } from './layers'

const job = (name: string, stage: string, needs: string[] | null) => ({ name, stage, needs }) as GraphJob

function stages(...list: [string, ...[string, string[] | null][]][]): GraphStage[] {
  return list.map(([name, ...jobs]) => ({ name, status: 'created', warnings: false, jobs: jobs.map(([job_, needs]) => job(job_, name, needs)) }))
}

describe('layers', () => {
  it('puts a job right of what it needs, and one without needs right of all earlier stages', () => {
    const pipeline = stages(
      ['build', ['compile', null], ['docs', null]],
      ['test', ['unit', ['compile']], ['lint', []], ['slow', ['unit']]],
      ['deploy', ['site', ['docs']], ['release', null]],
    )
    expect(Object.fromEntries(layersOf(pipeline))).toEqual({ compile: 0, docs: 0, unit: 1, lint: 0, slow: 2, site: 1, release: 3 })
  })

  it('does not hang on circles and unknown names', () => {
    expect(layersOf(stages(['a', ['x', ['y']], ['y', ['x', 'gone']]])).size).toBe(2)
  })

  it('draws a line for each need, and only to the right', () => {
    const picture = pictureOf(stages(['a', ['one', []], ['two', []]], ['b', ['three', ['one', 'two']]], ['c', ['four', ['one', 'three']]]))
    expect(picture.edges.map((edge) => `${edge.from}>${edge.to}`)).toEqual(['one>three', 'two>three', 'one>four', 'three>four'])
    expect(picture.width).toBe(14 * 3 + 4 * 2)
    expect(picture.height).toBe(2.5 * 2 + 0.75)
    expect(pictureOf([])).toEqual({ placed: [], edges: [], width: 0, height: 0 })
  })

  it('never puts two jobs in the same place', () => {
    const many = stages(
      ['a', ...Array.from({ length: 9 }, (_, i): [string, string[]] => [`a${i}`, []])],
      ['b', ...Array.from({ length: 9 }, (_, i): [string, string[]] => [`b${i}`, [`a${i % 3}`]])],
      ['c', ...Array.from({ length: 9 }, (_, i): [string, null] => [`c${i}`, null])],
    )
    const { placed } = pictureOf(many)
    expect(new Set(placed.map(({ x, y }) => `${x}/${y}`)).size).toBe(27)
  })

  it('knows who depends on whom', () => {
    const picture = pictureOf(stages(['a', ['one', []], ['two', []]], ['b', ['three', ['one']]], ['c', ['four', ['three']], ['five', ['two']]]))
    expect([...relatives(picture, 'three')].sort()).toEqual(['four', 'one', 'three'])
    expect([...relatives(picture, 'two')].sort()).toEqual(['five', 'two'])
  })
})
