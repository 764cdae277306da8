const EARTH_RADIUS_KM = 6371.0088
const RADIANS = Math.PI / 180

/** Kilometres along the great circle between two places in degrees (haversine formula, mean earth radius). */
export function greatCircleKm(latitudeA: number, longitudeA: number, latitudeB: number, longitudeB: number): number {
  const north = Math.sin(((latitudeB - latitudeA) * RADIANS) / 2)
  const east = Math.sin(((longitudeB - longitudeA) * RADIANS) / 2)
  const h = north * north + Math.cos(latitudeA * RADIANS) * Math.cos(latitudeB * RADIANS) * east * east
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(h)))
}
