//! The policy component: the decision point behind a WIT world.
