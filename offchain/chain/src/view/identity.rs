//! Which chain a server speaks of.

use cocoon_bindings::ton::{Address, Cell, Dict};

use crate::ChainError;
use crate::client::ChainClient;

/// Where every TON chain keeps its configuration.
const CONFIGURATION: [u8; 32] = [0x55; 32];
/// The parameter that names the chain.
const GLOBAL_ID: u32 = 19;

/// Global id of the TON main network.
pub const MAINNET: i32 = -239;
/// Global id of the TON test network.
pub const TESTNET: i32 = -3;

/// The global id of the chain, out of its configuration; none where the chain keeps none there, as local ones do.
///
/// It is the same through whichever server the chain is asked. An error says nothing about the chain.
pub async fn global_id(chain: &dyn ChainClient) -> Result<Option<i32>, ChainError> {
    let account = chain.account(&Address::new(-1, CONFIGURATION.into())).await?;
    Ok(account.data.as_ref().and_then(read))
}

/// The configuration contract's data begins with a reference to the parameters.
fn read(data: &Cell) -> Option<i32> {
    let parameters: Dict<u32, Cell> = Dict::from_raw(Some(data.reference_cloned(0)?));
    let parameter = parameters.get(GLOBAL_ID).ok()??;
    let id = parameter.as_slice().ok()?.load_u32().ok()?;
    Some(id.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_bindings::ton::CellBuilder;

    #[test]
    fn the_chain_is_named_by_its_configuration() {
        let parameter = |value: u32| {
            let mut cell = CellBuilder::new();
            cell.store_u32(value).unwrap();
            cell.build().unwrap()
        };
        let mut parameters: Dict<u32, Cell> = Dict::new();
        for (number, value) in [(8, 1), (GLOBAL_ID, MAINNET.cast_unsigned()), (34, 7)] {
            parameters.set(number, parameter(value)).unwrap();
        }
        let data = |parameters: &Dict<u32, Cell>| {
            let mut data = CellBuilder::new();
            data.store_reference(parameters.root().clone().unwrap()).unwrap();
            data.store_u32(5).unwrap();
            data.build().unwrap()
        };
        assert_eq!(read(&data(&parameters)), Some(MAINNET));
        parameters.remove(GLOBAL_ID).unwrap();
        assert_eq!(read(&data(&parameters)), None);
        assert_eq!(read(&Cell::default()), None);
    }
}
