;; The inner loop of FTRL-Proximal, four slots at a time. `ftrl-scalar.ts` is its reference: same operations in float32,
;; same order, same bits. `ftrl-simd.ts` lays out the memory and calls it; `build-simd.ts` compiles it into
;; `ftrl-simd-bytes.ts`.
;;
;; Memory
;;   0   float32 1/alpha   4 float32 beta     8  float32 lambda1         12 float32 lambda2
;;   16  float32 retain   20 float32 retain² 24 uint32 address of the table
;;   addresses: uint32 [k], the byte address of each feature's slot; padded to a multiple of four with slots that no
;;              feature uses, three different ones
;;   values:    float32 [k], padded with 0
;;   table:     float32 [slots, 4] = z, n, w, mark (uint32)
(module
  (import "rheo" "memory" (memory 1))

  ;; The epoch of the update that runs, and where the next changed slot is written.
  (global $epoch (mut i32) (i32.const 0))
  (global $changed (mut i32) (i32.const 0))

  ;; logit(addresses, end of addresses, values) -> Σ w·x: four running sums, then (s0 + s1) + (s2 + s3)
  (func (export "logit") (param $at i32) (param $end i32) (param $x i32) (result f32)
    (local $sum v128)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $sum
          (f32x4.add (local.get $sum)
            (f32x4.mul
              (v128.load32_lane offset=8 3 (i32.load offset=12 (local.get $at))
                (v128.load32_lane offset=8 2 (i32.load offset=8 (local.get $at))
                  (v128.load32_lane offset=8 1 (i32.load offset=4 (local.get $at))
                    (v128.load32_zero offset=8 (i32.load (local.get $at))))))
              (v128.load align=4 (local.get $x)))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $x (i32.add (local.get $x) (i32.const 16)))
        (br $next)))
    (f32.add
      (f32.add (f32x4.extract_lane 0 (local.get $sum)) (f32x4.extract_lane 1 (local.get $sum)))
      (f32.add (f32x4.extract_lane 2 (local.get $sum)) (f32x4.extract_lane 3 (local.get $sum)))))

  ;; update(addresses, end of addresses, values, error, epoch, end of the changed slots) -> new end of the changed slots
  (func (export "update")
    (param $at i32) (param $end i32) (param $x i32) (param $error f32) (param $now i32) (param $list i32) (result i32)
    (local $offsets v128) (local $g v128)
    (global.set $epoch (local.get $now))
    (global.set $changed (local.get $list))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $offsets (v128.load align=4 (local.get $at)))
        (local.set $g (f32x4.mul (f32x4.splat (local.get $error)) (v128.load align=4 (local.get $x))))
        ;; a slot that stands twice among the four must see its first update: then one by one
        (if (v128.any_true
              (v128.or
                (i32x4.eq (local.get $offsets)
                  (i8x16.shuffle 4 5 6 7 8 9 10 11 12 13 14 15 0 1 2 3 (local.get $offsets) (local.get $offsets)))
                (i32x4.eq (local.get $offsets)
                  (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $offsets) (local.get $offsets)))))
          (then
            (call $updateOne (i32x4.extract_lane 0 (local.get $offsets)) (f32x4.extract_lane 0 (local.get $g)))
            (call $updateOne (i32x4.extract_lane 1 (local.get $offsets)) (f32x4.extract_lane 1 (local.get $g)))
            (call $updateOne (i32x4.extract_lane 2 (local.get $offsets)) (f32x4.extract_lane 2 (local.get $g)))
            (call $updateOne (i32x4.extract_lane 3 (local.get $offsets)) (f32x4.extract_lane 3 (local.get $g))))
          (else (call $updateFour (local.get $offsets) (local.get $g))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $x (i32.add (local.get $x) (i32.const 16)))
        (br $next)))
    (global.get $changed))

  (func $updateFour (param $offsets v128) (param $g v128)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32)
    (local $ab v128) (local $cd v128) (local $abHigh v128) (local $cdHigh v128)
    (local $z v128) (local $n v128) (local $w v128) (local $stale v128)
    (local $square v128) (local $root v128) (local $roots v128) (local $excess v128) (local $marks v128)
    (local.set $a (i32x4.extract_lane 0 (local.get $offsets)))
    (local.set $b (i32x4.extract_lane 1 (local.get $offsets)))
    (local.set $c (i32x4.extract_lane 2 (local.get $offsets)))
    (local.set $d (i32x4.extract_lane 3 (local.get $offsets)))
    ;; four slots of z n w mark -> vectors z, n, w, mark
    (local.set $z (v128.load (local.get $a)))
    (local.set $n (v128.load (local.get $b)))
    (local.set $ab (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $z) (local.get $n)))
    (local.set $abHigh (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $z) (local.get $n)))
    (local.set $z (v128.load (local.get $c)))
    (local.set $n (v128.load (local.get $d)))
    (local.set $cd (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $z) (local.get $n)))
    (local.set $cdHigh (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $z) (local.get $n)))
    (local.set $z (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $ab) (local.get $cd)))
    (local.set $n (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $ab) (local.get $cd)))
    (local.set $w (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $abHigh) (local.get $cdHigh)))
    (local.set $marks (i32x4.splat (global.get $epoch)))
    (local.set $stale
      (i32x4.ne (local.get $marks)
        (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $abHigh) (local.get $cdHigh))))
    ;; forget, then n' = n + g²
    (local.set $z (f32x4.mul (local.get $z) (v128.load32_splat offset=16 (i32.const 0))))
    (local.set $n (f32x4.mul (local.get $n) (v128.load32_splat offset=20 (i32.const 0))))
    (local.set $square (f32x4.mul (local.get $g) (local.get $g)))
    (local.set $roots (f32x4.sqrt (local.get $n)))
    (local.set $n (f32x4.add (local.get $n) (local.get $square)))
    (local.set $root (f32x4.sqrt (local.get $n)))
    (local.set $roots (f32x4.add (local.get $root) (local.get $roots)))
    ;; z' = (z + g) - w·σ,  σ = g² / (√n' + √n) / α, 0 where both roots are 0
    (local.set $z
      (f32x4.sub
        (f32x4.add (local.get $z) (local.get $g))
        (f32x4.mul
          (f32x4.mul
            (v128.and
              (f32x4.div (local.get $square) (local.get $roots))
              (f32x4.gt (local.get $roots) (v128.const f32x4 0 0 0 0)))
            (v128.load32_splat (i32.const 0)))
          (local.get $w))))
    ;; w' = -sign(z')·(|z'| - λ1) / ((β + √n')/α + λ2), 0 where |z'| ≤ λ1
    (local.set $excess (f32x4.sub (f32x4.abs (local.get $z)) (v128.load32_splat offset=8 (i32.const 0))))
    (local.set $w
      (v128.and
        (v128.xor
          (f32x4.div (local.get $excess)
            (f32x4.add
              (f32x4.mul
                (f32x4.add (v128.load32_splat offset=4 (i32.const 0)) (local.get $root))
                (v128.load32_splat (i32.const 0)))
              (v128.load32_splat offset=12 (i32.const 0))))
          (v128.andnot (v128.const i32x4 0x80000000 0x80000000 0x80000000 0x80000000) (local.get $z)))
        (f32x4.gt (local.get $excess) (v128.const f32x4 0 0 0 0))))
    ;; vectors -> four slots
    (local.set $ab (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $z) (local.get $n)))
    (local.set $cd (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $z) (local.get $n)))
    (local.set $abHigh (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $w) (local.get $marks)))
    (local.set $cdHigh (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $w) (local.get $marks)))
    (v128.store (local.get $a)
      (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $ab) (local.get $abHigh)))
    (v128.store (local.get $b)
      (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $ab) (local.get $abHigh)))
    (v128.store (local.get $c)
      (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $cd) (local.get $cdHigh)))
    (v128.store (local.get $d)
      (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $cd) (local.get $cdHigh)))
    (if (v128.any_true (local.get $stale))
      (then
        (call $list (local.get $a) (i32x4.extract_lane 0 (local.get $stale)))
        (call $list (local.get $b) (i32x4.extract_lane 1 (local.get $stale)))
        (call $list (local.get $c) (i32x4.extract_lane 2 (local.get $stale)))
        (call $list (local.get $d) (i32x4.extract_lane 3 (local.get $stale))))))

  (func $updateOne (param $slot i32) (param $g f32)
    (local $n f32) (local $square f32) (local $root f32) (local $roots f32) (local $sigma f32) (local $z f32)
    (local $excess f32) (local $w f32)
    (local.set $n (f32.mul (f32.load offset=4 (local.get $slot)) (f32.load offset=20 (i32.const 0))))
    (local.set $square (f32.mul (local.get $g) (local.get $g)))
    (local.set $roots (f32.sqrt (local.get $n)))
    (local.set $n (f32.add (local.get $n) (local.get $square)))
    (local.set $root (f32.sqrt (local.get $n)))
    (local.set $roots (f32.add (local.get $root) (local.get $roots)))
    (if (f32.gt (local.get $roots) (f32.const 0))
      (then
        (local.set $sigma
          (f32.mul (f32.div (local.get $square) (local.get $roots)) (f32.load (i32.const 0))))))
    (local.set $z
      (f32.sub
        (f32.add (f32.mul (f32.load (local.get $slot)) (f32.load offset=16 (i32.const 0))) (local.get $g))
        (f32.mul (local.get $sigma) (f32.load offset=8 (local.get $slot)))))
    (local.set $excess (f32.sub (f32.abs (local.get $z)) (f32.load offset=8 (i32.const 0))))
    (if (f32.gt (local.get $excess) (f32.const 0))
      (then
        (local.set $w
          (f32.div (local.get $excess)
            (f32.add
              (f32.mul (f32.add (f32.load offset=4 (i32.const 0)) (local.get $root)) (f32.load (i32.const 0)))
              (f32.load offset=12 (i32.const 0)))))
        (if (f32.gt (local.get $z) (f32.const 0)) (then (local.set $w (f32.neg (local.get $w)))))))
    (call $list (local.get $slot)
      (i32.sub (i32.const 0) (i32.ne (i32.load offset=12 (local.get $slot)) (global.get $epoch))))
    (f32.store (local.get $slot) (local.get $z))
    (f32.store offset=4 (local.get $slot) (local.get $n))
    (f32.store offset=8 (local.get $slot) (local.get $w))
    (i32.store offset=12 (local.get $slot) (global.get $epoch)))

  ;; Adds a slot to the changed ones where $stale is -1; 0 leaves it out.
  (func $list (param $slot i32) (param $stale i32)
    (i32.store (global.get $changed)
      (i32.shr_u (i32.sub (local.get $slot) (i32.load offset=24 (i32.const 0))) (i32.const 4)))
    (global.set $changed (i32.sub (global.get $changed) (i32.shl (local.get $stale) (i32.const 2))))))
