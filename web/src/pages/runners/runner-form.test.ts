import { describe, expect, it } from 'vitest'
import { attributesOf, checkForm, emptyForm } from './runner-form'

describe('checkForm', () => {
  it('wants tags or untagged jobs', () => {
    expect(checkForm(emptyForm()).tags).toMatch(/untagged/)
    expect(checkForm({ ...emptyForm(), runUntagged: true })).toEqual({})
    expect(checkForm({ ...emptyForm(), tags: ' , ' }).tags).toBeDefined()
    expect(checkForm({ ...emptyForm(), tags: 'a' })).toEqual({})
  })
  it('knows the limits', () => {
    const tags = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`).join(',')
    expect(checkForm({ ...emptyForm(), tags: tags(50) }).tags).toBeUndefined()
    expect(checkForm({ ...emptyForm(), tags: tags(51) }).tags).toMatch(/50/)
    expect(checkForm({ ...emptyForm(), tags: 'a', timeout: '599' }).timeout).toMatch(/10 minutes/)
    expect(checkForm({ ...emptyForm(), tags: 'a', timeout: '600' }).timeout).toBeUndefined()
    expect(checkForm({ ...emptyForm(), tags: 'a', timeout: '1h' }).timeout).toMatch(/number/)
    expect(checkForm({ ...emptyForm(), tags: 'a', description: 'x'.repeat(1025) }).description).toBeDefined()
  })
})

describe('attributesOf', () => {
  it('sends null for an empty timeout', () => {
    expect(attributesOf({ ...emptyForm(), tags: 'a, b' }, false)).toMatchObject({ tag_list: ['a', 'b'], maximum_timeout: null, access_level: 'not_protected' })
    expect(attributesOf({ ...emptyForm(), timeout: ' 900 ', isProtected: true }, false)).toMatchObject({ maximum_timeout: 900, access_level: 'ref_protected' })
  })
})
