//! State between decisions: sessions by compare-and-set, charges all or none.
