import { describe, expect, it } from 'vitest'
import { download, installScript } from './install-scripts'

describe('download', () => {
  it('prefers this server', () => {
    expect(download('linux', 'amd64', 'https://a.example', { 'linux/amd64': '/-/downloads/x' })).toEqual({
      url: 'https://a.example/-/downloads/x',
      ours: true,
    })
  })
  it('falls back on the genuine runner', () => {
    const { url, ours } = download('osx', 'arm64', 'https://a.example', {})
    expect(ours).toBe(false)
    expect(url).toMatch(/gitlab-runner-darwin-arm64$/)
    expect(download('windows', '386', '', {}).url).toMatch(/windows-386\.exe$/)
  })
})

describe('installScript', () => {
  it('installs and starts on every system', () => {
    for (const system of ['linux', 'osx', 'windows'] as const) {
      const script = installScript(system, 'https://x/y')
      expect(script).toContain('https://x/y')
      expect(script).toMatch(/gitlab-runner(\.exe)? install/)
      expect(script).toMatch(/gitlab-runner(\.exe)? start/)
    }
    expect(installScript('linux', 'x')).toContain('useradd')
  })
})
