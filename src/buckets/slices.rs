//! Layer 2, pure: the boundaries inside one octave, and the table that turns a mantissa into a
//! count of boundaries.
//!
//! Cut the octave [1, 2) into 2N equal slices, N = 2^scale. Neighbouring boundaries are at least 0.69/N apart and a slice is 1/(2N)
//! wide, so a slice holds at most one. The entry of a slice is added to the bits of the value; the sum's bits from W = 2^(52-scale) on
//! are then octave × N + the number of boundaries below the value, because the addition carries into them exactly when the mantissa
//! lies above the slice's own boundary:
//!
//! ```text
//!   entry with a boundary M, of which g boundaries are below   =  (g + 1) · W  −  (M + 1)
//!   entry without, starting at mantissa S                      =   g · W       −   S
//! ```

/// Bits of the mantissa of an `f64`.
pub(super) const MANTISSA_BITS: u32 = 52;

/// The one that every normal `f64` has above its mantissa.
pub(super) const IMPLICIT_ONE: u64 = 1 << MANTISSA_BITS;

/// The finest scale that [`BOUNDARIES`] holds.
pub(super) const FINEST: u32 = 7;

/// Entries of one scale's table: 2N for the finest; coarser ones use the first 2N of them.
pub(super) const SLICE_COUNT: usize = 2 << FINEST;

/// Mantissas of 2^(j/128), j = 0..128, each rounded to the nearest `f64` from 60 decimal digits.
///
/// The boundaries of scale s are every 2^(7-s)-th. Committed, not computed: `exp2` differs between
/// platforms in the last bit, and all processes of a segment must agree. The tables of Prometheus'
/// Go and Python code are computed and differ from this one, and from each other, by a few units in
/// the last place.
#[rustfmt::skip] // one entry per line otherwise
pub(super) const BOUNDARIES: [u64; 1 << FINEST] = [
    0x0_0000_0000_0000, 0x0_163d_a9fb_3335, 0x0_2c9a_3e77_8061, 0x0_4315_e86e_7f85,
    0x0_59b0_d315_8574, 0x0_706b_29dd_f6de, 0x0_8745_1875_9bc8, 0x0_9e3e_cac6_f383,
    0x0_b558_6cf9_890f, 0x0_cc92_2b72_47f7, 0x0_e3ec_32d3_d1a2, 0x0_fb66_affe_d31b,
    0x1_1301_d012_5b51, 0x1_2abd_c06c_31cc, 0x1_429a_aea9_2de0, 0x1_5a98_c8a5_8e51,
    0x1_72b8_3c7d_517b, 0x1_8af9_388c_8dea, 0x1_a35b_eb6f_cb75, 0x1_bbe0_8404_5cd4,
    0x1_d487_3168_b9aa, 0x1_ed50_22fc_d91d, 0x2_063b_8862_8cd6, 0x2_1f49_917d_dc96,
    0x2_387a_6e75_6238, 0x2_51ce_4fb2_a63f, 0x2_6b45_65e2_7cdd, 0x2_84df_e1f5_6381,
    0x2_9e9d_f51f_dee1, 0x2_b87f_d0da_d990, 0x2_d285_a6e4_030b, 0x2_ecaf_a93e_2f56,
    0x3_06fe_0a31_b715, 0x3_2170_fc4c_d831, 0x3_3c08_b264_16ff, 0x3_56c5_5f92_9ff1,
    0x3_71a7_373a_a9cb, 0x3_8cae_6d05_d866, 0x3_a7db_34e5_9ff7, 0x3_c32d_c313_a8e5,
    0x3_dea6_4c12_3422, 0x3_fa45_04ac_801c, 0x4_160a_21f7_2e2a, 0x4_31f5_d950_a897,
    0x4_4e08_6061_892d, 0x4_6a41_ed1d_0057, 0x4_86a2_b5c1_3cd0, 0x4_a32a_f0d7_d3de,
    0x4_bfda_d536_2a27, 0x4_dcb2_99fd_dd0d, 0x4_f9b2_769d_2ca7, 0x5_16da_a2cf_6642,
    0x5_342b_569d_4f82, 0x5_51a4_ca5d_920f, 0x5_6f47_36b5_27da, 0x5_8d12_d497_c7fd,
    0x5_ab07_dd48_5429, 0x5_c926_8a59_46b7, 0x5_e76f_15ad_2148, 0x6_05e1_b976_dc09,
    0x6_247e_b03a_5585, 0x6_4346_34cc_c320, 0x6_6238_8255_2225, 0x6_8155_d44c_a973,
    0x6_a09e_667f_3bcd, 0x6_c012_750b_dabf, 0x6_dfb2_3c65_1a2f, 0x6_ff7d_f951_9484,
    0x7_1f75_e8ec_5f74, 0x7_3f9a_48a5_8174, 0x7_5feb_5642_67c9, 0x7_8069_4fde_5d3f,
    0x7_a114_73eb_0187, 0x7_c1ed_0130_c132, 0x7_e2f3_36cf_4e62, 0x8_0427_543e_1a12,
    0x8_2589_994c_ce13, 0x8_471a_4623_c7ad, 0x8_68d9_9b44_92ed, 0x8_8ac7_d98a_6699,
    0x8_ace5_422a_a0db, 0x8_cf32_16b5_448c, 0x8_f1ae_9915_7736, 0x9_145b_0b91_ffc6,
    0x9_3737_b0cd_c5e5, 0x9_5a44_cbc8_520f, 0x9_7d82_9fde_4e50, 0x9_a0f1_70ca_07ba,
    0x9_c491_82a3_f090, 0x9_e863_19e3_2323, 0xa_0c66_7b5d_e565, 0xa_309b_ec4a_2d33,
    0xa_5503_b23e_255d, 0xa_799e_1330_b358, 0xa_9e6b_5579_fdbf, 0xa_c36b_bfd3_f37a,
    0xa_e89f_995a_d3ad, 0xb_0e07_298d_b666, 0xb_33a2_b84f_15fb, 0xb_5972_8de5_593a,
    0xb_7f76_f2fb_5e47, 0xb_a5b0_30a1_064a, 0xb_cc1e_904b_c1d2, 0xb_f2c2_5bd7_1e09,
    0xc_199b_dd85_529c, 0xc_40ab_5fff_d07a, 0xc_67f1_2e57_d14b, 0xc_8f6d_9406_e7b5,
    0xc_b720_dcef_9069, 0xc_df0b_555d_c3fa, 0xd_072d_4a07_897c, 0xd_2f87_080d_89f2,
    0xd_5818_dcfb_a487, 0xd_80e3_16c9_8398, 0xd_a9e6_03db_3285, 0xd_d321_f301_b460,
    0xd_fc97_337b_9b5f, 0xe_2646_14f5_a129, 0xe_502e_e78b_3ff6, 0xe_7a51_fbc7_4c83,
    0xe_a4af_a2a4_90da, 0xe_cf48_2d8e_67f1, 0xe_fa1b_ee61_5a27, 0xf_252b_376b_ba97,
    0xf_5076_5b6e_4540, 0xf_7bfd_ad9c_be14, 0xf_a7c1_819e_90d8, 0xf_d3c2_2b8f_71f1,
];

/// The slices of each scale.
pub(super) static SLICES: [[u64; SLICE_COUNT]; FINEST as usize + 1] = slices();

/// The mantissa of boundary `position` (below 2^scale) of an octave at `scale`.
pub(super) const fn boundary(scale: u32, position: usize) -> u64 {
    BOUNDARIES[position << (FINEST - scale)]
}

const fn slices() -> [[u64; SLICE_COUNT]; FINEST as usize + 1] {
    let mut tables = [[0; SLICE_COUNT]; FINEST as usize + 1];
    let mut scale = 0;
    while scale <= FINEST {
        let slices = 2 << scale;
        let width = IMPLICIT_ONE >> (scale + 1);
        let bucket = IMPLICIT_ONE >> scale;
        let mut below = 0;
        let mut slice = 0;
        while slice < slices {
            let start = slice as u64 * width;
            let holds_next = below < 1 << scale && boundary(scale, below) < start + width;
            let aim = (below as u64 + holds_next as u64) * bucket;
            let own = if holds_next {
                boundary(scale, below) + 1
            } else {
                start
            };
            tables[scale as usize][slice] = aim.wrapping_sub(own);
            below += holds_next as usize;
            slice += 1;
        }
        scale += 1;
    }
    tables
}
