//! One loop in plain Rust, compiled for every vector width, chosen at run time.
//!
//! The loops say their order with arrays of lanes and `f32::mul_add`; a compiler may not change it, only do lanes side
//! by side. So all widths give the same bits, and the plain compilation is the reference of the others.

/// Defines functions that run the `#[inline(always)]` function `$body`, compiled for the widest vectors here.
macro_rules! widest {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $gives:ty)? = $body:path) => {
        $(#[$meta])*
        #[allow(unsafe_code, reason = "code for vectors that this machine was found to have")]
        $vis fn $name($($arg: $type),*) $(-> $gives)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                fn avx512($($arg: $type),*) $(-> $gives)? {
                    $body($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) $(-> $gives)? {
                    $body($($arg),*)
                }
                if is_x86_feature_detected!("fma") && is_x86_feature_detected!("avx2") {
                    if is_x86_feature_detected!("avx512f")
                        && is_x86_feature_detected!("avx512vl")
                        && is_x86_feature_detected!("avx512dq")
                        && is_x86_feature_detected!("avx512bw")
                    {
                        // SAFETY: the features were found just now.
                        return unsafe { avx512($($arg),*) };
                    }
                    // SAFETY: the features were found just now.
                    return unsafe { avx2($($arg),*) };
                }
            }
            $body($($arg),*)
        }
    };
}
pub(super) use widest;

/// Lanes of a sum that the machine may add side by side.
pub(super) const LANES: usize = 16;

/// Adds lanes in a fixed tree.
#[inline(always)]
pub(super) fn tree_sum(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}
