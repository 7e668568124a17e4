// How the runner program comes onto a host, by system and architecture. Own downloads of this server come first; where
// it has none for a system, GitLab's own runner is named, which works with this server as well.

export type InstallSystem = 'linux' | 'osx' | 'windows'

export const kArchitectures: Record<InstallSystem, string[]> = {
  linux: ['amd64', '386', 'arm', 'arm64'],
  osx: ['amd64', 'arm64'],
  windows: ['amd64', '386'],
}

const kUpstream = 'https://gitlab-runner-downloads.s3.amazonaws.com/latest/binaries'

export interface Download {
  url: string
  ours: boolean
}

/** `downloads` maps "linux/amd64" to a path of this server. */
export function download(system: InstallSystem, arch: string, base: string, downloads: Record<string, string>): Download {
  const own = downloads[`${system === 'osx' ? 'darwin' : system}/${arch}`]
  if (own) return { url: own.startsWith('/') ? base + own : own, ours: true }
  const name = { linux: 'linux', osx: 'darwin', windows: 'windows' }[system]
  return { url: `${kUpstream}/gitlab-runner-${name}-${arch}${system === 'windows' ? '.exe' : ''}`, ours: false }
}

export function installScript(system: InstallSystem, url: string): string {
  if (system === 'windows') {
    return [
      '# In PowerShell, as administrator: a folder for the program',
      'New-Item -Path C:\\GitLab-Runner -ItemType Directory',
      'cd C:\\GitLab-Runner',
      '',
      '# Download the program',
      `Invoke-WebRequest -Uri "${url}" -OutFile "gitlab-runner.exe"`,
      '',
      '# Install it as a service and start it',
      '.\\gitlab-runner.exe install',
      '.\\gitlab-runner.exe start',
      '',
    ].join('\n')
  }
  if (system === 'osx') {
    return [
      '# Download the program and make it executable',
      `sudo curl --fail --location --output /usr/local/bin/gitlab-runner "${url}"`,
      'sudo chmod +x /usr/local/bin/gitlab-runner',
      '',
      '# As the user who will run the jobs: install it as a service and start it',
      'cd ~',
      'gitlab-runner install',
      'gitlab-runner start',
      '',
    ].join('\n')
  }
  return [
    '# Download the program and make it executable',
    `sudo curl --fail --location --output /usr/local/bin/gitlab-runner "${url}"`,
    'sudo chmod +x /usr/local/bin/gitlab-runner',
    '',
    '# A user for the jobs',
    'sudo useradd --comment "GitLab Runner" --create-home gitlab-runner --shell /bin/bash',
    '',
    '# Install it as a service and start it',
    'sudo gitlab-runner install --user=gitlab-runner --working-directory=/home/gitlab-runner',
    'sudo gitlab-runner start',
    '',
  ].join('\n')
}
