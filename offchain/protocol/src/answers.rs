//! The seven answer messages, which clients and workers have in the same shape under different ids.

macro_rules! answer_messages {
    ($info:ty, $answer:literal, $error:literal, $part:literal, $part_error:literal,
     $answer_ex:literal, $error_ex:literal, $part_ex:literal) => {
        /// First message of an answer, version 0: a whole `http.response` head.
        #[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
        #[tl(boxed, id = $answer, scheme = "../schema/cocoon.tl")]
        pub struct QueryAnswer {
            #[tl(with = "blob")]
            pub answer: Bytes,
            pub is_completed: bool,
            pub request_id: [u8; 32],
            pub tokens_used: TokensUsed,
        }

        /// Refusal, version 0; deployed proxies send it whatever the version is.
        #[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
        #[tl(boxed, id = $error, scheme = "../schema/cocoon.tl")]
        pub struct QueryAnswerError {
            pub error_code: i32,
            #[tl(with = "text_lossy")]
            pub error: String,
            pub request_id: [u8; 32],
            pub tokens_used: TokensUsed,
        }

        /// Next piece of the body, version 0.
        #[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
        #[tl(boxed, id = $part, scheme = "../schema/cocoon.tl")]
        pub struct QueryAnswerPart {
            #[tl(with = "blob")]
            pub answer: Bytes,
            pub is_completed: bool,
            pub request_id: [u8; 32],
            pub tokens_used: TokensUsed,
        }

        /// Failure after the head, version 0; deployed proxies send it whatever the version is.
        #[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
        #[tl(boxed, id = $part_error, scheme = "../schema/cocoon.tl")]
        pub struct QueryAnswerPartError {
            pub error_code: i32,
            #[tl(with = "text_lossy")]
            pub error: String,
            pub request_id: [u8; 32],
            pub tokens_used: TokensUsed,
        }

        /// First message of an answer: a whole `http.response` head.
        #[derive(Clone, PartialEq, TlRead, TlWrite)]
        #[tl(boxed, id = $answer_ex, scheme = "../schema/cocoon.tl")]
        pub struct QueryAnswerEx {
            pub request_id: [u8; 32],
            #[tl(with = "blob")]
            pub answer: Bytes,
            #[tl(flags)]
            pub flags: (),
            #[tl(flags_bit = 0)]
            pub final_info: Option<$info>,
        }

        /// Refusal or failure.
        #[derive(Debug, Clone, PartialEq, TlRead, TlWrite)]
        #[tl(boxed, id = $error_ex, scheme = "../schema/cocoon.tl")]
        pub struct QueryAnswerErrorEx {
            pub request_id: [u8; 32],
            pub error_code: i32,
            #[tl(with = "text_lossy")]
            pub error: String,
            #[tl(flags)]
            pub flags: (),
            #[tl(flags_bit = 0)]
            pub final_info: Option<$info>,
        }

        /// Next piece of the body; the last one has `final_info`.
        #[derive(Clone, PartialEq, TlRead, TlWrite)]
        #[tl(boxed, id = $part_ex, scheme = "../schema/cocoon.tl")]
        pub struct QueryAnswerPartEx {
            pub request_id: [u8; 32],
            #[tl(with = "blob")]
            pub answer: Bytes,
            #[tl(flags)]
            pub flags: (),
            #[tl(flags_bit = 0)]
            pub final_info: Option<$info>,
        }

        impl std::fmt::Debug for QueryAnswer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(
                    f,
                    "QueryAnswer({} bytes, completed {})",
                    self.answer.len(),
                    self.is_completed
                )
            }
        }

        impl std::fmt::Debug for QueryAnswerPart {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(
                    f,
                    "QueryAnswerPart({} bytes, completed {})",
                    self.answer.len(),
                    self.is_completed
                )
            }
        }

        impl std::fmt::Debug for QueryAnswerEx {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(
                    f,
                    "QueryAnswerEx({} bytes, {:?})",
                    self.answer.len(),
                    self.final_info
                )
            }
        }

        impl std::fmt::Debug for QueryAnswerPartEx {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(
                    f,
                    "QueryAnswerPartEx({} bytes, {:?})",
                    self.answer.len(),
                    self.final_info
                )
            }
        }
    };
}
