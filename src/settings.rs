//! What the environment says. Each concern owns its settings and names its own variables; what is
//! no setting of ours but a habit of terminals is read here.

/// Whether colours are welcome where a terminal could show them.
pub fn colours_are_welcome() -> bool {
    let asks_for_none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let cannot = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    !asks_for_none && !cannot
}
