//! Lists of several files as one, at compile time.

/// How many entries the lists have together.
pub(crate) const fn total<T>(lists: &[&[T]]) -> usize {
    let (mut list, mut total) = (0, 0);
    while list < lists.len() {
        total += lists[list].len();
        list += 1;
    }
    total
}

/// The lists, one after the other; `N` is their [`total`], and the first one is not empty.
pub(crate) const fn joined<T: Copy, const N: usize>(lists: &[&[T]]) -> [T; N] {
    let mut all = [lists[0][0]; N];
    let (mut list, mut at, mut filled) = (0, 0, 0);
    while list < lists.len() {
        if at == lists[list].len() {
            list += 1;
            at = 0;
        } else {
            all[filled] = lists[list][at];
            at += 1;
            filled += 1;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_joined_in_their_order_and_empty_ones_leave_nothing() {
        const LISTS: &[&[u8]] = &[&[1, 2], &[], &[3]];
        assert_eq!(joined::<_, { total(LISTS) }>(LISTS), [1, 2, 3]);
    }
}
