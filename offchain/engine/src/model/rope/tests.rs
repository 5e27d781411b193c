//! Frequencies against those of transformers (`ROPE_INIT_FUNCTIONS` for heads of 16 and 512 positions).

use super::*;
use serde_json::json;

fn read(fields: Value) -> Result<RopeSpec, EngineError> {
    RopeSpec::of_fields("rope_parameters", fields.as_object().unwrap(), 16, 0.0, 512)
}

fn check(fields: Value, expected: [f64; 8], factor: f32) {
    let theta = fields["rope_theta"].as_f64().unwrap();
    let rope = RopeSpec::of_fields("rope_parameters", fields.as_object().unwrap(), 16, theta, 512).unwrap();
    for (found, expected) in rope.frequencies().into_iter().zip(expected) {
        assert!(
            (f64::from(found) - expected).abs() <= 2e-6 * expected,
            "{fields}: {found} is not {expected}"
        );
    }
    let table = rope.table(3);
    assert_eq!((table.half, table.cos.len(), table.sin.len()), (8, 24, 24));
    assert!((table.cos[0] - factor).abs() < 1e-6 && table.sin[0] == 0.0);
    let angle = 2.0 * rope.frequencies()[1];
    assert_eq!(
        (table.cos[17], table.sin[17]),
        (angle.cos() * table.cos[0], angle.sin() * table.cos[0])
    );
}

#[test]
fn linear_divides_all_frequencies() {
    check(
        json!({"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}),
        [
            0.25,
            0.07905694,
            0.025,
            0.0079056947,
            0.0025,
            0.00079056947,
            0.00025,
            7.9056947e-5,
        ],
        1.0,
    );
}

#[test]
fn llama3_divides_the_low_ones() {
    check(
        json!({"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64}),
        [
            1.0,
            0.07940301299095154,
            0.004700753837823868,
            0.0009115831344388425,
            0.00017677668074611574,
            3.428102354519069e-05,
            6.647869668086059e-06,
            1.289173155782919e-06,
        ],
        1.0,
    );
}

#[test]
fn yarn_has_a_ramp_and_scales_the_circle() {
    check(
        json!({"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 64}),
        [
            1.0,
            0.11114246398210526,
            0.007905694656074047,
            0.0014058533124625683,
            0.0002500000118743628,
            4.4456985051510856e-05,
            7.905693564680405e-06,
            1.405853367941745e-06,
        ],
        1.138_629_4,
    );
    check(
        json!({"rope_type": "yarn", "rope_theta": 150_000.0, "factor": 4.0, "truncate": false,
            "original_max_position_embeddings": 128}),
        [
            1.0,
            0.1418553590774536,
            0.013140225782990456,
            0.0028635566122829914,
            0.0006454972317442298,
            0.00014550669584423304,
            3.2799827749840915e-05,
            7.3936716944444925e-06,
        ],
        1.138_629_4,
    );
    check(
        json!({"rope_type": "yarn", "rope_theta": 1e4, "factor": 8.0, "mscale": 0.707, "mscale_all_dim": 0.9,
            "original_max_position_embeddings": 64}),
        [
            1.0,
            0.2239946573972702,
            0.0416666641831398,
            0.0039528473280370235,
            0.0012499999720603228,
            0.00039528473280370235,
            0.0001250000059371814,
            3.9528473280370235e-05,
        ],
        0.966_193_6,
    );
}

#[test]
fn a_base_or_factor_that_makes_no_sense_is_refused() {
    assert!(matches!(
        read(json!({})),
        Err(EngineError::MissingConfig { field: "rope_theta" })
    ));
    let shrunk = json!({"rope_type": "linear", "factor": 0.0});
    let found = RopeSpec::of_fields("rope_scaling", shrunk.as_object().unwrap(), 16, 1e4, 512);
    assert!(matches!(
        found,
        Err(EngineError::UnsupportedConfig { field, .. }) if field == "rope_scaling.factor"
    ));
}
