import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

/** What draws graphs: fetched with the first of them, for all pages that have none. */
export default uPlot
