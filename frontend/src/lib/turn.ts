/** What waits for its turn, the oldest first. */
const waiting = new Set<() => void>()

/** Does something soon, in a task of its own, so that the page answers between much that comes together. Returns what calls it off. */
export function inTurn(job: () => void): () => void {
  if (waiting.size === 0) setTimeout(next)
  waiting.add(job)
  return () => waiting.delete(job)
}

function next() {
  const [job] = waiting
  if (!job) return
  waiting.delete(job)
  if (waiting.size > 0) setTimeout(next)
  job()
}
