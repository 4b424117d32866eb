// SPDX-License-Identifier: GPL-3.0-or-later
// The picture of a live patch: the files that the patch changes, the functions that are replaced for it, and what these
// touch. Laid out when the report is made; an SVG image with text. Where there are many functions, those of a file are
// one box.

import { Graph, layout } from '@dagrejs/dagre'
import { isColdPart } from '../../diff/object/compiler-names.ts'
import { inNumbers } from '../../ground/in-numbers.ts'
import { addTo, addToSet } from '../../ground/values/grouped.ts'
import type { Facts, ReportedFunction } from '../facts/facts.ts'
import { type Html, html } from '../html/html.ts'
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
/** With more boxes than this in a column, nobody can read the picture, and to lay it out takes long. */
const mostBoxes = 24
/** Names that a box lists. */
const mostNames = 7
const longestLine = 40
/** The size of a character of the code's font, in the picture's units. */
const [advance, lineHeight] = [6.6, 16]

export function graphPart(facts: Facts): Html {
  const { boxes, edges } = draw(facts)
  const graph = new Graph()
  graph.setGraph({ rankdir: 'LR', nodesep: 14, ranksep: 96, marginx: 2, marginy: 2 })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { id, lines } of boxes)
    graph.setNode(id, {
      width: Math.max(...lines.map(({ length }) => length)) * advance + 24,
      height: lines.length * lineHeight + 14,
    })
  for (const [from, to] of edges) graph.setEdge(from, to)
  layout(graph)
  const { height = 0 } = graph.graph() as { height?: number }
  const places = inColumns(new Map(boxes.map(({ id }) => [id, graph.node(id) as Place])))
  const paths = edges.flatMap(([from, to]) => {
    const [a, b] = [places.get(from), places.get(to)]
    return a === undefined || b === undefined ? [] : html`<path d="${curve(a, b)}"/>`
  })
  const right = [...places.values()].reduce((most, { x, width }) => Math.max(most, x + width / 2), 0)
  const size = { w: Math.ceil(right + 2), h: Math.ceil(height) }
  return html`<div class="wide"><svg class="graph" viewBox="0 0 ${size.w} ${size.h}" width="${size.w}" height="${size.h}" role="group" aria-label="What is replaced, why, and what it touches">
<g class="edges">${paths}</g>
${boxes.map((box) => drawn(box, places.get(box.id) ?? nowhere))}
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
      html`<text${attributes({
        x: left + 12,
        y: top + 19 + index * lineHeight,
        textLength: line.length * advance,
        lengthAdjust: 'spacingAndGlyphs',
        class: index === 0 ? 'name' : 'why',
      })}>${line}</text>`,
  )
  const frame = attributes({ x: left, y: top, width, height, rx: kind === 'file' ? '2' : '8' })
  const box = html`<rect${frame}/>${texts}`
  return html`<g class="${kind}">${href === undefined ? box : html`<a href="${href}">${box}</a>`}</g>`
}

/** Numbers are of pixels, to a tenth. */
function attributes(all: Readonly<Record<string, number | string>>): Html {
  return html`${Object.entries(all).map(
    ([name, value]) => html` ${name}="${typeof value === 'number' ? value.toFixed(1) : value}"`,
  )}`
}

const nowhere: Place = { x: 0, y: 0, width: 0, height: 0 }

/** The boxes of a column begin at the same place; the layout centres them. */
function inColumns(places: ReadonlyMap<string, Place>): Map<string, Place> {
  const begins = new Map<number, number>()
  for (const { x, width } of places.values()) {
    const column = Math.round(x)
    begins.set(column, Math.min(begins.get(column) ?? x, x - width / 2))
  }
  return new Map(
    [...places].map(([id, place]) => [id, { ...place, x: (begins.get(Math.round(place.x)) ?? 0) + place.width / 2 }]),
  )
}

/** From the right side of one box to the left side of another one. */
function curve(from: Place, to: Place): string {
  const [x1, x2] = [from.x + from.width / 2, to.x - to.width / 2]
  const middle = (x1 + x2) / 2
  const point = (x: number, y: number) => `${x.toFixed(1)} ${y.toFixed(1)}`
  return `M${point(x1, from.y)} C${point(middle, from.y)} ${point(middle, to.y)} ${point(x2, to.y)}`
}

const short = (text: string) => (text.length > longestLine ? `${text.slice(0, longestLine - 1)}…` : text)
const shortPath = (text: string) => (text.length > longestLine ? `…${text.slice(text.length - longestLine + 1)}` : text)

function listed(names: readonly string[]): string[] {
  // What begins with an underscore says less to a reader.
  const all = [...names].sort((a, b) => Number(a.startsWith('_')) - Number(b.startsWith('_')) || (a < b ? -1 : 1))
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
  const known = new Set(files)
  const fileBox = (file: string) => (files.length > mostBoxes ? 'files' : `file ${file}`)
  const headers = [...new Set(files.filter((file) => file.endsWith('.h')).map(fileBox))]
  if (files.length > mostBoxes)
    boxes.push({
      id: 'files',
      kind: 'file',
      lines: [inNumbers(files.length, 'file'), ...listed(files.map(shortPath))],
      href: '#patch',
    })
  else
    for (const file of files) boxes.push({ id: fileBox(file), kind: 'file', lines: [shortPath(file)], href: '#patch' })
  const boxOf = functionBoxes(functions, boxes)
  const replaced = new Set(functions.map(({ name }) => name))
  const objects = new Set(functions.flatMap(({ touches }) => touches.map(({ of }) => of)))
  const touched = new Map<string, Set<string>>()
  for (const one of functions) {
    const id = boxOf(one)
    const units = [one.unit, one.source?.file ?? ''].filter((file) => known.has(file))
    // Where nothing of the function's own file changes, what it includes does.
    for (const box of units.length > 0 ? units.map(fileBox) : headers) link(box, id)
    for (const { name, of } of one.touches) {
      if (of === 'own' && (isColdPart(name) || replaced.has(name))) continue
      const key = of === 'own' ? 'own' : objects.size > mostBoxes ? 'of the kernel' : `of ${of}`
      link(id, key)
      addToSet(touched, key, name)
    }
  }
  for (const { unit } of manifest.carried) if (known.has(unit)) link(fileBox(unit), 'own')
  if (manifest.carried.length > 0)
    touched.set('own', new Set([...(touched.get('own') ?? []), ...manifest.carried.map(({ name }) => name)]))
  for (const [key, names] of touched) {
    const own = key === 'own'
    const title = own
      ? `carried: ${inNumbers(names.size, 'item')}`
      : `${key.slice(3)}: ${inNumbers(names.size, 'symbol')}`
    boxes.push({ id: key, kind: own ? 'own' : 'kernel', lines: [title, ...listed([...names])] })
  }
  return { boxes, edges: [...edges.values()] }
}

/** Adds the functions' boxes. @returns the box of each function */
function functionBoxes(functions: readonly ReportedFunction[], boxes: Box[]): (one: ReportedFunction) => string {
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
  for (const { unit, name } of functions) addTo(units, unit, name)
  if (units.size > mostBoxes) {
    const names = functions.map(({ name }) => name)
    boxes.push({
      id: 'functions',
      kind: 'function',
      lines: [`${inNumbers(names.length, 'function')} of ${inNumbers(units.size, 'unit')}`, ...listed(names)],
    })
    return () => 'functions'
  }
  for (const [unit, names] of units)
    boxes.push({
      id: `unit ${unit}`,
      kind: 'function',
      lines: [shortPath(unit), `${inNumbers(names.length, 'function')}`, ...listed(names)],
    })
  return ({ unit }) => `unit ${unit}`
}
