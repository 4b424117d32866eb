// SPDX-License-Identifier: GPL-3.0-or-later
// The picture of a live patch: the files that the patch changes, the functions that are replaced for it, and what these
// touch. Laid out when the report is made; an SVG image with text. Where there are many functions, those of a file are one box.
import { Graph, layout } from '@dagrejs/dagre'
import type { Facts, ReportedFunction } from '../facts.ts'
import { count, type Html, html } from '../html.ts'
import { pathOf } from './patch.ts'

interface Box {
  readonly id: string
  readonly kind: 'file' | 'function' | 'own' | 'kernel'
  readonly lines: readonly string[]
  /** The anchor that it leads to. */
  readonly href?: string
}

/** With more functions than this, those of a unit share a box. */
const mostFunctions = 16
/** Names that a box lists. */
const mostNames = 7
const longestLine = 40
/** The size of a character of the code's font, in the picture's units. */
const [advance, lineHeight] = [6.6, 16]

export function graphPart(facts: Facts): Html {
  const { boxes, edges } = draw(facts)
  const graph = new Graph()
  graph.setGraph({ rankdir: 'LR', nodesep: 14, ranksep: 64, marginx: 2, marginy: 2 })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { id, lines } of boxes)
    graph.setNode(id, {
      width: Math.max(...lines.map(({ length }) => length)) * advance + 24,
      height: lines.length * lineHeight + 14,
    })
  for (const [from, to] of edges) graph.setEdge(from, to)
  layout(graph)
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  const paths = graph.edges().map((edge: { v: string; w: string }) => {
    const { points } = graph.edge(edge) as { points: readonly { x: number; y: number }[] }
    return html`<path d="${curve(points)}"/>`
  })
  const size = { w: Math.ceil(width), h: Math.ceil(height) }
  return html`<div class="wide"><svg class="graph" viewBox="0 0 ${size.w} ${size.h}" width="${size.w}" height="${size.h}" role="img" aria-label="What is replaced, why, and what it touches">
<g class="edges">${paths}</g>
${boxes.map((box) => drawn(box, graph.node(box.id) as Place))}
</svg></div>`
}

interface Place {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

function drawn({ kind, lines, href }: Box, { x, y, width, height }: Place): Html {
  const [left, top] = [x - width / 2, y - height / 2]
  const texts = lines.map(
    (line, index) =>
      html`<text x="${(left + 12).toFixed(1)}" y="${(top + 19 + index * lineHeight).toFixed(1)}" textLength="${(line.length * advance).toFixed(1)}" lengthAdjust="spacingAndGlyphs" class="${index === 0 ? 'name' : 'why'}">${line}</text>`,
  )
  const box = html`<rect x="${left.toFixed(1)}" y="${top.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" rx="${kind === 'file' ? 2 : 8}"/>${texts}`
  return html`<g class="${kind}">${href === undefined ? box : html`<a href="${href}">${box}</a>`}</g>`
}

function curve(points: readonly { readonly x: number; readonly y: number }[]): string {
  const [first, ...rest] = points
  const last = rest.at(-1)
  if (first === undefined || last === undefined) return ''
  const at = ({ x, y }: { readonly x: number; readonly y: number }) => `${x.toFixed(1)} ${y.toFixed(1)}`
  // Through the middles of the points between, so that it bends softly.
  let path = `M${at(first)}`
  for (const [index, point] of rest.entries()) {
    const next = rest[index + 1]
    if (next === undefined) break
    path += ` Q${at(point)} ${at({ x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 })}`
  }
  return `${path} L${at(last)}`
}

const short = (text: string) => (text.length > longestLine ? `${text.slice(0, longestLine - 1)}…` : text)
const shortPath = (text: string) =>
  text.length > longestLine ? `…${text.slice(text.length - longestLine + 1)}` : text

function listed(names: readonly string[]): string[] {
  const all = [...names].sort()
  const shown = all.length > mostNames + 1 ? all.slice(0, mostNames) : all
  const more = all.length - shown.length
  return [...shown.map(short), ...(more > 0 ? [`and ${more} more`] : [])]
}

/** What is in the picture. */
function draw({ inputs, functions, manifest }: Facts): { boxes: Box[]; edges: [string, string][] } {
  const boxes: Box[] = []
  const edges = new Map<string, [string, string]>()
  const link = (from: string, to: string) => edges.set(`${from}\0${to}`, [from, to])
  const files = [...new Set(inputs.flatMap(({ patch }) => patch?.files.map(pathOf) ?? []))]
  for (const file of files)
    boxes.push({ id: `file ${file}`, kind: 'file', lines: [shortPath(file)], href: '#patch' })
  const boxOf = functionBoxes(functions, boxes)
  const touched = new Map<string, Set<string>>()
  for (const one of functions) {
    const id = boxOf(one)
    const units = files.filter((file) => file === one.unit || file === one.source?.file)
    // Where nothing of the function's own file changes, what it includes does.
    for (const file of units.length > 0 ? units : files.filter((file) => file.endsWith('.h')))
      link(`file ${file}`, id)
    for (const { name, of } of one.touches) {
      if (functions.some((other) => other.name === name && of === 'own')) continue
      const key = of === 'own' ? 'own' : `of ${of}`
      link(id, key)
      const names = touched.get(key) ?? new Set()
      touched.set(key, names.add(name))
    }
  }
  const carried = new Set(manifest.carried.map(({ name }) => name))
  for (const [key, names] of touched) {
    const own = key === 'own'
    const title = own
      ? `carried: ${count(carried.size, 'item')}`
      : `${key.slice(3)}: ${count(names.size, 'symbol')}`
    boxes.push({ id: key, kind: own ? 'own' : 'kernel', lines: [title, ...listed([...names])] })
  }
  return { boxes, edges: [...edges.values()] }
}

/** Adds the functions' boxes. @returns the box of each function */
function functionBoxes(
  functions: readonly ReportedFunction[],
  boxes: Box[],
): (one: ReportedFunction) => string {
  if (functions.length <= mostFunctions) {
    for (const [index, { name, reasons }] of functions.entries())
      boxes.push({
        id: `function ${index}`,
        kind: 'function',
        lines: [short(name), ...(reasons[0] === undefined ? [] : [short(reasons[0])])],
        href: `#f${index + 1}`,
      })
    return (one) => `function ${functions.indexOf(one)}`
  }
  const units = new Map<string, string[]>()
  for (const { unit, name } of functions) units.set(unit, [...(units.get(unit) ?? []), name])
  for (const [unit, names] of units)
    boxes.push({
      id: `unit ${unit}`,
      kind: 'function',
      lines: [shortPath(unit), `${count(names.length, 'function')}`, ...listed(names)],
    })
  return ({ unit }) => `unit ${unit}`
}
