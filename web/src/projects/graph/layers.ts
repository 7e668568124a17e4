// Where the jobs of a pipeline stand when they are ordered by what they need instead of by stage, and the lines between
// them. Positions are in rem, so that the drawing grows with the reader's letters. Pure.
import type { GraphJob, GraphStage } from '../types'

export const PILL_WIDTH = 14
export const PILL_HEIGHT = 2.5
export const GAP_X = 4
export const GAP_Y = 0.75

export interface Placed {
  readonly job: GraphJob
  readonly layer: number
  readonly slot: number
  readonly x: number
  readonly y: number
}

export interface Edge {
  readonly from: string
  readonly to: string
  readonly path: string
}

export interface Picture {
  readonly placed: Placed[]
  readonly edges: Edge[]
  readonly width: number
  readonly height: number
}

// A job with `needs` stands right of all it needs; one without stands right of all earlier stages. Needs that lead in a
// circle or to nothing (the server would not send them) count as none.
export function layersOf(stages: readonly GraphStage[]): Map<string, number> {
  const jobs = new Map<string, GraphJob>()
  for (const stage of stages) for (const job of stage.jobs) jobs.set(job.name, job)
  const layers = new Map<string, number>()
  const open = new Set<string>()

  function layerOf(job: GraphJob): number {
    const known = layers.get(job.name)
    if (known !== undefined) return known
    if (open.has(job.name)) return 0
    open.add(job.name)
    let layer = 0
    for (const need of predecessors(job)) layer = Math.max(layer, layerOf(need) + 1)
    open.delete(job.name)
    layers.set(job.name, layer)
    return layer
  }

  function predecessors(job: GraphJob): GraphJob[] {
    if (job.needs) return job.needs.flatMap((name) => jobs.get(name) ?? [])
    const before: GraphJob[] = []
    for (const stage of stages) {
      if (stage.name === job.stage) break
      before.push(...stage.jobs)
    }
    return before
  }

  for (const job of jobs.values()) layerOf(job)
  return layers
}

const round = (value: number) => Math.round(value * 1000) / 1000

function curve(from: Placed, to: Placed): string {
  const startX = from.x + PILL_WIDTH
  const startY = from.y + PILL_HEIGHT / 2
  const endY = to.y + PILL_HEIGHT / 2
  const bend = GAP_X / 2
  // The last stretch before the pill is where a line changes its height, so that it passes behind no pill of its own row.
  const turn = to.x - GAP_X
  const parts = [`M${round(startX)} ${round(startY)}`]
  if (turn > startX) parts.push(`L${round(turn)} ${round(startY)}`)
  parts.push(`C${round(turn + bend)} ${round(startY)} ${round(to.x - bend)} ${round(endY)} ${round(to.x)} ${round(endY)}`)
  return parts.join('')
}

export function pictureOf(stages: readonly GraphStage[]): Picture {
  const layers = layersOf(stages)
  const slots: number[] = []
  const placed = new Map<string, Placed>()
  for (const stage of stages) {
    for (const job of stage.jobs) {
      const layer = layers.get(job.name)!
      const slot = slots[layer] ?? 0
      slots[layer] = slot + 1
      placed.set(job.name, { job, layer, slot, x: layer * (PILL_WIDTH + GAP_X), y: slot * (PILL_HEIGHT + GAP_Y) })
    }
  }
  const edges: Edge[] = []
  for (const to of placed.values()) {
    for (const name of to.job.needs ?? []) {
      const from = placed.get(name)
      if (from && from.layer < to.layer) edges.push({ from: name, to: to.job.name, path: curve(from, to) })
    }
  }
  const columns = slots.length
  const rows = Math.max(0, ...slots.map((count) => count ?? 0))
  return {
    placed: [...placed.values()].sort((a, b) => a.layer - b.layer || a.slot - b.slot),
    edges,
    width: Math.max(0, columns * (PILL_WIDTH + GAP_X) - GAP_X),
    height: Math.max(0, rows * (PILL_HEIGHT + GAP_Y) - GAP_Y),
  }
}

// The jobs that a job needs and those that need it, over any number of steps.
export function relatives(picture: Picture, name: string): Set<string> {
  const found = new Set([name])
  const walk = (at: string, next: (edge: Edge) => [string, string]) => {
    for (const edge of picture.edges) {
      const [here, there] = next(edge)
      if (here !== at || found.has(there)) continue
      found.add(there)
      walk(there, next)
    }
  }
  walk(name, (edge) => [edge.to, edge.from])
  walk(name, (edge) => [edge.from, edge.to])
  return found
}
