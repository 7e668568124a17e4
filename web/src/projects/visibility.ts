// Who can see a project, as choices of a form.

export type Visibility = 'private' | 'internal' | 'public'

export const VISIBILITIES: { value: Visibility; label: string; help: string }[] = [
  { value: 'private', label: 'Private', help: 'Only members see the project.' },
  { value: 'internal', label: 'Internal', help: 'Everybody who is signed in sees the project.' },
  { value: 'public', label: 'Public', help: 'Everybody sees the project by API and git, without signing in.' },
]
