//! The example, rendered.

use super::fixture::Files;
use super::fixture::NOW;

#[test]
fn every_tenant_of_the_example_is_rendered() {
    let repository = Files::example().read();
    assert_eq!(repository.findings, []);
    for unit in repository.checked.valid.keys() {
        let name = unit.to_string();
        if let Err(error) = repository.render(&name, NOW) {
            panic!("{name}: {error} ({:?})", error.help);
        }
    }
}
