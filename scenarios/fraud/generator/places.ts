/** A place where people live, shop and travel to. */
export interface City {
  readonly country: string
  readonly latitude: number
  readonly longitude: number
  /** Relative number of customers who live there; 0: only travelled to, or attacked from. */
  readonly weight: number
  /** First three numbers of the addresses that its internet providers give out (from the ranges for documentation and tests). */
  readonly network: string
}

const rows: readonly (readonly [string, number, number, number])[] = [
  ['DE', 52.52, 13.41, 9],
  ['DE', 48.14, 11.58, 6],
  ['DE', 53.55, 9.99, 5],
  ['FR', 48.86, 2.35, 9],
  ['FR', 45.76, 4.84, 4],
  ['ES', 40.42, -3.7, 7],
  ['ES', 41.39, 2.17, 5],
  ['IT', 41.9, 12.5, 6],
  ['IT', 45.46, 9.19, 5],
  ['NL', 52.37, 4.9, 5],
  ['BE', 50.85, 4.35, 4],
  ['AT', 48.21, 16.37, 4],
  ['PT', 38.72, -9.14, 3],
  ['IE', 53.35, -6.26, 3],
  ['FI', 60.17, 24.94, 2],
  ['GR', 37.98, 23.73, 3],
  ['GB', 51.51, -0.13, 0],
  ['US', 40.71, -74.01, 0],
  ['TH', 13.76, 100.5, 0],
  ['BR', -23.55, -46.63, 0],
]

export const CITIES: readonly City[] = rows.map(([country, latitude, longitude, weight], index) => ({
  country,
  latitude,
  longitude,
  weight,
  network: `198.${18 + (index % 2)}.${index * 12}`,
}))
