// node pack_assets.mjs DIST PACK: the files of a built front end as one file, for web/assets.hpp to read:
// the size of the index in decimal, a line end, the index (JSON), the files one after the other. What gains by it is
// compressed here, once, as far as it goes.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
}
const compressible = new Set(['.html', '.js', '.css', '.json', '.webmanifest', '.svg', '.txt'])
const smallest = 512 // a shorter file fits one packet either way

function filesBelow(folder, prefix = '') {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(folder, entry.name), `${prefix}${entry.name}/`) : [`${prefix}${entry.name}`],
  )
}

const [dist, pack] = process.argv.slice(2)
const index = {}
const chunks = []
let offset = 0

function put(bytes) {
  const place = [offset, bytes.length]
  chunks.push(bytes)
  offset += bytes.length
  return place
}

for (const name of filesBelow(dist)) {
  const bytes = readFileSync(join(dist, name))
  const extension = extname(name)
  const entry = {
    type: types[extension] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    plain: put(bytes),
  }
  // The document is filled in for each reader, so it is sent as it is.
  if (compressible.has(extension) && bytes.length >= smallest && name !== 'index.html') {
    const gzip = gzipSync(bytes, { level: 9 })
    const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } })
    if (gzip.length < bytes.length * 0.9) entry.gzip = put(gzip)
    if (brotli.length < bytes.length * 0.9) entry.brotli = put(brotli)
  }
  index[name] = entry
}

const header = Buffer.from(JSON.stringify(index))
writeFileSync(pack, Buffer.concat([Buffer.from(`${header.length}\n`), header, ...chunks]))
