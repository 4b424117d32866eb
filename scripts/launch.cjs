#!/usr/bin/env node
// SPDX-License-Identifier: GPL-3.0-or-later
// Starts the part of the bundle that is called like this file, from the directory beside it, each part with the code
// that V8 made of it when it was built. Another version of Node does not take that code, and compiles the parts itself.
'use strict'
const { readFileSync } = require('node:fs')
const path = require('node:path')
const v8 = require('node:v8')
const { Script } = require('node:vm')

// As it is, V8 spends as much on optimising as a short command takes in all: only what runs for long is worth it.
v8.setFlagsFromString('--interrupt-budget=600000')

/** What was loaded, by name. */
const parts = new Map()

function load(name) {
  const known = parts.get(name)
  if (known !== undefined) return known.module.exports
  const filename = path.join(__dirname, 'parts', name)
  let cachedData
  try {
    cachedData = readFileSync(`${filename}.cache`)
  } catch {
    // A part without it is only slower.
  }
  const script = new Script(readFileSync(filename, 'utf8'), { filename, cachedData })
  const part = { module: { exports: {} }, script, filename }
  parts.set(name, part)
  script.runInThisContext()(part.module.exports, demand, part.module, filename, __dirname)
  return part.module.exports
}

function demand(name) {
  return name.startsWith('./') ? load(name.slice(2)) : require(name)
}

module.exports = { parts }
load(path.basename(__filename))
