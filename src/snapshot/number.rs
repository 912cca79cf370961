//! A number, as what it is: unsigned, signed, or float.

/// A number that stays what it was: whole or float.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Unsigned.
    U64(u64),
    /// Signed.
    I64(i64),
    /// Float.
    F64(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Number::U64(value)
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Number::U64(value.into())
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Number::I64(value)
    }
}

impl From<i32> for Number {
    fn from(value: i32) -> Self {
        Number::I64(value.into())
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Number::F64(value)
    }
}
