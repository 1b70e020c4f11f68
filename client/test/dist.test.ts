// The bundle is small and alone, and the demo embeds the one that this source builds to.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

import { buildSync } from 'esbuild'
import { expect, test } from 'vitest'

const path = (file: string) => fileURLToPath(new URL(`../${file}`, import.meta.url))

test('the demo embeds what this source builds to', () => {
  const { outputFiles } = buildSync({ entryPoints: [path('src/index.ts')], bundle: true, format: 'esm', target: 'es2022', write: false, absWorkingDir: path('.') })
  const built = outputFiles[0]?.text ?? ''
  expect(readFileSync(path('../demo/sampleapp/files/client.js'), 'utf8'), 'run npm run demo').toBe(built)
  expect(readFileSync(path('dist/index.js'), 'utf8'), 'npm run build makes another').toBe(built)
})

test('it depends on nothing, and takes no more than 6 KB on the wire', () => {
  const text = readFileSync(path('dist/index.js'))
  expect(text.toString()).not.toMatch(/^import /m)
  const size = gzipSync(text).length
  console.log(`dist/index.js: ${size} bytes gzipped`)
  expect(size).toBeLessThanOrEqual(6 * 1_024)
})

test('npm packs what an app needs, and nothing else', () => {
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: path('.'), encoding: 'utf8' })) as [{ files: { path: string }[] }]
  const files = packed.files.map((f) => f.path)
  expect(files).toEqual(expect.arrayContaining(['README.md', 'package.json', 'dist/index.js', 'dist/react.js', 'dist/types/index.d.ts', 'dist/types/react.d.ts']))
  expect(files.filter((f) => /^(src|test)\//.test(f))).toEqual([])
})
