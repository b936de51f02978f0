import { describe, expect, it } from 'vitest'
import { asking, valueOf, withTerms } from './terms'

describe('a term of a query', () => {
  it.each([
    ['', 'actor:"ada"'],
    ['nginx', 'nginx actor:"ada"'],
    ['actor:bob', 'actor:"ada"'],
    ['nginx actor:"bob \\" x" port:80', 'nginx port:80 actor:"ada"'],
    ['-actor:bob nginx', 'nginx actor:"ada"'],
    ['factor:9', 'factor:9 actor:"ada"'],
  ])('takes the place of its like: %j', (q, asked) => expect(asking(q, 'actor', 'ada')).toBe(asked))

  it('is taken out', () => expect(asking('nginx actor:ada', 'actor', '')).toBe('nginx'))

  it.each([
    ['actor:ada', 'ada'],
    ['nginx actor="a \\"b\\""', 'a "b"'],
    ['nginx', ''],
    ['-actor:ada', ''],
    ['actor:ada actor:bob', ''],
  ])('has its value: %j', (q, value) => expect(valueOf(q, 'actor')).toBe(value))

  it('may be a span', () =>
    expect(withTerms('x time>=5 time<6', 'time', 'time>=7', 'time<8')).toBe('x time>=7 time<8'))
})
