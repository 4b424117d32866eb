// SPDX-License-Identifier: GPL-3.0-or-later
// What a worker thread of pairs.ts runs; an entry of the bundle.
import { parentPort } from 'node:worker_threads'
import { examinePair, type PairFiles } from './pairs.ts'

parentPort?.on('message', (files: PairFiles) => parentPort?.postMessage(examinePair(files)))
