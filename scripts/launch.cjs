#!/usr/bin/env node
// SPDX-License-Identifier: GPL-3.0-or-later
// Starts the bundle (main.js, beside this file) with the code that V8 made of it when it was built. Another version of
// Node does not take that code, and compiles the bundle itself.
'use strict'
const { readFileSync } = require('node:fs')
const path = require('node:path')
const { constants, Script } = require('node:vm')

const filename = path.join(__dirname, 'main.js')
let cachedData
try {
  cachedData = readFileSync(path.join(__dirname, 'main.cache'))
} catch {
  // A bundle without it is only slower.
}
const bundle = new Script(readFileSync(filename, 'latin1'), {
  filename,
  cachedData,
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
})
bundle.runInThisContext()(exports, require, module, filename, __dirname)
