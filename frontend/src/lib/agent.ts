/** What a browser calls itself by, and what others call it; those that call themselves another one too come before that. */
const browsers: [RegExp, string][] = [
  [/\bEdg(?:e|A|iOS)?\/(\d+)/, 'Edge'],
  [/\bOPR\/(\d+)/, 'Opera'],
  [/\bVivaldi\/(\d+)/, 'Vivaldi'],
  [/\bSamsungBrowser\/(\d+)/, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\/(\d+)/, 'Firefox'],
  [/\b(?:Headless)?(?:Chrome|CriOS)\/(\d+)/, 'Chrome'],
  [/\bVersion\/(\d+).* Safari\//, 'Safari'],
  [/^curl\/(\d+)/, 'curl'],
  [/^Wget\/(\d+)/, 'Wget'],
]

const systems: [RegExp, string][] = [
  [/\b(?:iPhone|iPod)\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
]

/**
 * Which browser a User-Agent names, with its major version, and which system; either is empty where it names none that is
 * known. It is what the browser says of itself, no more: Chromium says Chrome, and an iPad may say macOS.
 */
export function agent(text: string): { browser: string; system: string } {
  let browser = ''
  for (const [is, name] of browsers) {
    const found = is.exec(text)
    if (!found) continue
    browser = `${name} ${found[1]}`
    break
  }
  return { browser, system: systems.find(([is]) => is.test(text))?.[1] ?? '' }
}
