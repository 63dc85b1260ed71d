//! What a preview tells: stories of a few tenants, and the text a person reads.

mod previews;
