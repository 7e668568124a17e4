import { describe, expect, it } from 'vitest'
import { kubernetesSecret, legacyCommand, platformFrom, quote, registerCommand } from './register-command'

const url = 'https://coordinator.example'
const token = 'glrt-t1_abcdefghijklmnopqrst'

describe('registerCommand', () => {
  it('is shown on several lines and copied as one', () => {
    const command = registerCommand({ platform: 'linux', url, token })
    expect(command.prompt).toBe('$')
    expect(command.lines).toEqual(['gitlab-runner register', `  --url ${url}`, `  --token ${token}`])
    expect(command.text).toBe(`gitlab-runner register --url ${url} --token ${token}`)
  })

  it('leaves the token out when it is no longer known', () => {
    expect(registerCommand({ platform: 'osx', url, token: null }).text).toBe(`gitlab-runner register --url ${url}`)
  })

  it('names the program as Windows does', () => {
    const command = registerCommand({ platform: 'windows', url, token })
    expect(command.prompt).toBe('>')
    expect(command.text.startsWith('.\\gitlab-runner.exe register --url')).toBe(true)
  })

  it('asks nothing when an executor is given', () => {
    expect(registerCommand({ platform: 'linux', url, token, executor: 'docker', image: "a b'c" }).text).toBe(
      `gitlab-runner register --non-interactive --executor docker --docker-image 'a b'\\''c' --url ${url} --token ${token}`,
    )
    expect(registerCommand({ platform: 'linux', url, token, executor: 'shell' }).text).not.toContain('image')
  })

  it('runs in a container', () => {
    expect(registerCommand({ platform: 'docker', url, token }).text).toMatch(/^docker run --rm .* register --url .* --token glrt-/)
  })
})

describe('others', () => {
  it('the old way uses the registration token', () => {
    expect(legacyCommand('linux', url, 'GR1348941x').text).toBe(`gitlab-runner register --url ${url} --registration-token GR1348941x`)
  })
  it('quoting leaves plain words alone', () => {
    expect(quote('https://a.example:8080/x', 'linux')).toBe('https://a.example:8080/x')
    expect(quote('$(x)', 'linux')).toBe("'$(x)'")
    expect(quote("it's", 'windows')).toBe("'it''s'")
  })
  it('clouds map to what runs there', () => {
    expect(platformFrom('gke')).toBe('kubernetes')
    expect(platformFrom('gcp')).toBe('linux')
    expect(platformFrom('<x>')).toBe('linux')
  })
  it('the secret has both keys', () => {
    expect(kubernetesSecret('T')).toContain('runner-registration-token: ""')
    expect(kubernetesSecret('T')).toContain('runner-token: "T"')
  })
})
