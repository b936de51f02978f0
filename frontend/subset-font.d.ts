declare module 'subset-font' {
  export default function subsetFont(
    font: Buffer,
    text: string,
    options: {
      targetFormat: 'woff2'
      variationAxes: Record<string, { min: number; max: number }>
      /** Leaves out the alternative forms of the characters. */
      noLayoutClosure: boolean
    },
  ): Promise<Buffer>
}
