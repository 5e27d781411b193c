//! Frames in which a router tells of a peer: what is read is written back with the same meaning.
#![no_main]

use cocoon_protocol::peer_info::AttestedPeerInfo;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(Some((info, length))) = AttestedPeerInfo::read_frame(input) {
        assert!(length <= input.len());
        let frame = info.to_frame();
        assert_eq!(AttestedPeerInfo::read_frame(&frame), Ok(Some((info, frame.len()))));
    }
    let _ = AttestedPeerInfo::parse(input);
});
