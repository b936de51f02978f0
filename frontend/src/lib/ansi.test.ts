import { describe, expect, it } from 'vitest'
import { AnsiText } from './ansi'

function lines(...pieces: string[]) {
  const text = new AnsiText()
  for (const piece of pieces) text.write(piece)
  return text.lines.map((line) => line.map(({ text, look }) => (look ? [text, look] : text)))
}

describe('the output of a program', () => {
  it.each<[string, string, unknown[]]>([
    ['plain lines', 'one\ntwo', [['one'], ['two']]],
    ['lines as terminals end them', 'one\r\ntwo\r\n', [['one'], ['two'], []]],
    ['a colour and its end', '\x1b[31mred\x1b[0m not', [[['red', 'c1'], ' not']]],
    ['an empty reset', '\x1b[32mgreen\x1b[m not', [[['green', 'c2'], ' not']]],
    ['several at once', '\x1b[1;4;93mx', [[['x', 'bold underline c11']]]],
    ['one of them ended', '\x1b[1;31ma\x1b[22mb\x1b[39mc', [[['a', 'bold c1'], ['b', 'c1'], 'c']]],
    ['the first of 256 colours', '\x1b[38;5;4mx', [[['x', 'c4']]]],
    ['the others as plain text', '\x1b[38;5;200mx\x1b[38;2;1;2;31my', [['xy']]],
    ['backgrounds as none', '\x1b[41mx\x1b[48;5;1my', [['xy']]],
    ['a progress bar as its last state', '10 %\r50 %\rdone\n', [['done'], []]],
    ['a tab', 'a\tb', [['a\tb']]],
    ['markup as text', '<img src=x onerror=alert(1)>', [['<img src=x onerror=alert(1)>']]],
    ['letters beyond ASCII', '服务 ✓ 😀', [['服务 ✓ 😀']]],
  ])('keeps %s', (_, text, want) => {
    expect(lines(text)).toEqual(want)
  })

  it.each<[string, string]>([
    ['movements of the cursor', 'a\x1b[2Ab'],
    ['a cleared screen', 'a\x1b[2J\x1b[Hb'],
    ['a title', 'a\x1b]0;title\x07b'],
    ['a title that ends the other way', 'a\x1b]0;title\x1b\\b'],
    ['a link', 'a\x1b]8;;javascript:alert(1)\x1b\\b'],
    ['a device string', 'a\x1bPq#0;2\x1b\\b'],
    ['sequences of one byte', 'a\u009b31;1Hb'],
    ['private modes', 'a\x1b[?1049hb'],
    ['private letters', 'a\x1b[>4;1mb'],
    ['a character set', 'a\x1b(Bb'],
    ['bells, backspaces and zeros', 'a\x07\b\0b'],
    ['what turns the direction of writing', 'a\u202e\u2066b'],
    ['what has no width', 'a\u200b\ufeffb'],
    ['a sequence without an end in sight', `a\x1b[${'1;'.repeat(500)}Hb`],
  ])('drops %s', (_, text) => {
    expect(lines(text)).toEqual([['ab']])
  })

  it('goes on after a string that nobody ended', () => {
    expect(lines('a\x1b]0;never\nb')).toEqual([['a'], ['b']])
  })

  it('is the same in whatever pieces it comes', () => {
    const text = 'a\x1b[1;31mred\x1b[0m\r\n\x1b]0;t\x07b\rc\x1b[38;5;9md\n'
    expect(lines(...text)).toEqual(lines(text))
  })

  it('is bounded: the oldest lines go', () => {
    const text = new AnsiText(3)
    text.write('1\n2\n3\n4\n5')
    expect(text.lines.map((line) => line[0]?.text)).toEqual(['3', '4', '5'])
  })
})
