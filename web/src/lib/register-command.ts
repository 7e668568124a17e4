// The commands that join a host to this server. Shown on several lines for the eye, copied as one.

export type Platform = 'linux' | 'osx' | 'windows' | 'docker' | 'kubernetes'

export const kPlatforms: { value: Platform; label: string }[] = [
  { value: 'linux', label: 'Linux' },
  { value: 'osx', label: 'macOS' },
  { value: 'windows', label: 'Windows' },
  { value: 'docker', label: 'Docker' },
  { value: 'kubernetes', label: 'Kubernetes' },
]

/** Cloud platforms of the creation form run Linux or Kubernetes underneath. */
export function platformFrom(value: unknown): Platform {
  if (value === 'gcp') return 'linux'
  if (value === 'gke') return 'kubernetes'
  return kPlatforms.some((known) => known.value === value) ? (value as Platform) : 'linux'
}

export interface Command {
  prompt: '$' | '>'
  lines: string[]
  /** What the copy button gives: one line without the prompt. */
  text: string
}

export interface CommandOptions {
  platform: Platform
  url: string
  token: string | null
  /** Set for the variants that ask nothing. */
  executor?: 'shell' | 'docker'
  image?: string
}

const kPosixSafe = /^[\w@%+=:,./-]+$/

/** One word for a POSIX shell or PowerShell, quoted only when needed. */
export function quote(word: string, platform: Platform): string {
  if (kPosixSafe.test(word)) return word
  return platform === 'windows' ? `'${word.replace(/'/g, "''")}'` : `'${word.replace(/'/g, `'\\''`)}'`
}

const make = (prompt: '$' | '>', lines: string[]): Command => ({ prompt, lines, text: lines.map((line) => line.trim()).join(' ') })

export const executable = (platform: Platform) => (platform === 'windows' ? '.\\gitlab-runner.exe' : 'gitlab-runner')

/** `register` with an authentication token; when the token is no longer known its option is left out. */
export function registerCommand(options: CommandOptions): Command {
  const { platform, url, token } = options
  const words = (...parts: string[]) => '  ' + parts.map((part) => quote(part, platform)).join(' ')
  const lines =
    platform === 'docker'
      ? ['docker run --rm -it -v gitlab-runner-config:/etc/gitlab-runner', '  gitlab/gitlab-runner register']
      : [`${executable(platform)} register`]
  if (options.executor) lines.push('  --non-interactive', words('--executor', options.executor))
  if (options.executor === 'docker') lines.push(words('--docker-image', options.image || 'alpine:latest'))
  lines.push(words('--url', url))
  if (token) lines.push(words('--token', token))
  return make(platform === 'windows' ? '>' : '$', lines)
}

/** The old way, for hosts that still register with a registration token. */
export function legacyCommand(platform: Platform, url: string, token: string): Command {
  return make(platform === 'windows' ? '>' : '$', [
    `${executable(platform)} register`,
    `  --url ${quote(url, platform)}`,
    `  --registration-token ${quote(token, platform)}`,
  ])
}

export const runCommand = (platform: Platform) => make(platform === 'windows' ? '>' : '$', [`${executable(platform)} run`])

/** Values for the Helm chart: either the token itself or a Secret that holds it. */
export function kubernetesValues(url: string, token: string | null): string {
  return [`gitlabUrl: ${url}`, `runnerToken: "${token ?? 'TOKEN'}"`, 'rbac:', '  create: true', ''].join('\n')
}

export function kubernetesSecret(token: string | null): string {
  return [
    'apiVersion: v1',
    'kind: Secret',
    'metadata:',
    '  name: gitlab-runner-secret',
    'type: Opaque',
    'stringData:',
    '  # The chart wants the old key to be there, and empty.',
    '  runner-registration-token: ""',
    `  runner-token: "${token ?? 'TOKEN'}"`,
    '',
  ].join('\n')
}
