//! Trains the demonstration model, which answers questions about this repository, and writes it as a Hugging Face
//! folder. `README.md` beside this package says how it is run and where its text comes from.

mod chat;
mod corpus;
mod evaluate;
mod folder;
mod model;
mod phrasing;
mod progress;
mod shape;
mod tokens;
mod train;

use anyhow::Result;

use chat::{Chats, Question, held_out, learned_by_heart};
use clap::{Parser, Subcommand};
use corpus::Corpus;
use evaluate::{answer_all, scores};
use shape::Shape;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokens::Tokens;
use train::{Plan, train};

#[cfg(feature = "cuda")]
type Plain = burn::backend::Cuda;
#[cfg(not(feature = "cuda"))]
type Plain = burn::backend::Flex;
type Trained = burn::backend::Autodiff<Plain>;
type Device = burn::tensor::Device<Plain>;

/// Threads of a training unless it is told: a GPU takes a batch at once.
const THREADS: usize = if cfg!(feature = "cuda") { 1 } else { 2 };
/// Foreign questions of an evaluation.
const FOREIGN: usize = 120;

/// Trains and asks the demonstration model.
#[derive(Parser)]
struct Cli {
    /// Folder of the corpus
    #[arg(long, global = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"))]
    corpus: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train, write the folder, evaluate
    Train(TrainArgs),
    /// Ask a finished model the questions that it has not learned
    Evaluate {
        /// Folder of the model
        model: PathBuf,
        /// Print every answer that lacks a word that matters
        #[arg(long)]
        show: bool,
    },
    /// Ask a finished model
    Ask {
        /// Folder of the model
        model: PathBuf,
        /// What to ask, each question by itself
        #[arg(required = true)]
        questions: Vec<String>,
    },
    /// Check the corpus and print some chats that are made of it
    Corpus {
        /// How many chats
        #[arg(long, default_value_t = 5)]
        chats: usize,
    },
}

#[derive(clap::Args)]
struct TrainArgs {
    /// Folder to write the model into
    out: PathBuf,
    /// Seed of the first numbers and of the order of the chats
    #[arg(long, default_value_t = 20)]
    seed: u64,
    /// Steps
    #[arg(long, default_value_t = 6000)]
    steps: u64,
    /// End after this many minutes even if there are steps left
    #[arg(long)]
    minutes: Option<f64>,
    /// Chats of a step
    #[arg(long, default_value_t = 16)]
    chats: usize,
    /// Threads, each with a part of the chats; another number gives other roundings
    #[arg(long, default_value_t = THREADS)]
    threads: usize,
    /// Highest rate of learning
    #[arg(long, default_value_t = 2e-3)]
    rate: f64,
    /// Folder for checkpoints
    #[arg(long)]
    checkpoints: Option<PathBuf>,
    /// Go on from the last checkpoint
    #[arg(long, requires = "checkpoints")]
    resume: bool,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let corpus = Corpus::read(&cli.corpus)?;
    let device = Device::default();
    match cli.command {
        Command::Train(arguments) => {
            train_and_write(&corpus, &arguments, &device)?;
            evaluate(&corpus, &arguments.out, false, &device)
        }
        Command::Evaluate { model, show } => evaluate(&corpus, &model, show, &device),
        Command::Ask { model, questions } => ask(&model, questions, &device),
        Command::Corpus { chats } => show(&corpus, chats),
    }
}

fn train_and_write(corpus: &Corpus, arguments: &TrainArgs, device: &Device) -> Result<()> {
    let shape = Shape::DEMO;
    let tokens = Tokens::train(shape.vocabulary, &corpus.texts())?;
    let chats = Chats::new(corpus, &tokens, arguments.seed);
    let plan = Plan {
        seed: arguments.seed,
        steps: arguments.steps,
        budget: arguments.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
        chats: arguments.chats,
        threads: arguments.threads.clamp(1, arguments.chats.max(1)),
        rate: arguments.rate,
        checkpoints: arguments.checkpoints.clone(),
        resume: arguments.resume,
    };
    let outcome = train::<Trained>(&plan, &shape, &tokens, &chats, device)?;
    let numbers: usize = outcome
        .model
        .named_tensors()?
        .values()
        .map(|tensor| tensor.numbers.len())
        .sum();
    let bytes = folder::write(&arguments.out, &shape, &tokens, &outcome.model)?;
    eprintln!(
        "{} steps, {} tokens in {:.0} s, last loss {:.4}; {numbers} parameters, {bytes} bytes in {}",
        outcome.steps,
        outcome.tokens,
        outcome.seconds,
        outcome.loss,
        arguments.out.display()
    );
    Ok(())
}

fn evaluate(corpus: &Corpus, model: &Path, show: bool, device: &Device) -> Result<()> {
    let loaded = folder::read::<Plain>(model, device)?;
    let mut questions = learned_by_heart(corpus);
    questions.extend(held_out(corpus, FOREIGN, 1));
    let answers = answer_all(&loaded, questions, device)?;
    for answer in answers.iter().filter(|answer| show && !answer.has_keys()) {
        println!(
            "{}\n  is    {}\n  ought {}",
            answer.question.text, answer.text, answer.question.answer
        );
    }
    for (group, score) in scores(&answers) {
        println!(
            "{group}: {} asked, {} word for word ({:.1} %), {} with all words that matter ({:.1} %)",
            score.asked,
            score.exact,
            percent(score.exact, score.asked),
            score.keys,
            percent(score.keys, score.asked)
        );
    }
    Ok(())
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn ask(model: &Path, questions: Vec<String>, device: &Device) -> Result<()> {
    let loaded = folder::read::<Plain>(model, device)?;
    for text in questions {
        let question = Question {
            group: "asked",
            text,
            answer: String::new(),
            key: Vec::new(),
        };
        for answer in answer_all(&loaded, vec![question], device)? {
            println!("{}\n  {}", answer.question.text, answer.text);
        }
    }
    Ok(())
}

fn show(corpus: &Corpus, chats: usize) -> Result<()> {
    let tokens = Tokens::train(Shape::DEMO.vocabulary, &corpus.texts())?;
    let round = Chats::new(corpus, &tokens, 0).round(0, chats)?;
    for sample in &round {
        let answers = sample.counted.iter().filter(|counted| **counted).count();
        println!(
            "{} tokens, {answers} of answers\n{}",
            sample.tokens.len(),
            tokens.decode(&sample.tokens)?
        );
    }
    let (learned, held): (Vec<_>, Vec<_>) = corpus.facts.iter().map(|fact| (fact.q.len(), fact.held.len())).unzip();
    println!(
        "{} facts, {} questions to learn, {} held back",
        corpus.facts.len(),
        learned.iter().sum::<usize>(),
        held.iter().sum::<usize>()
    );
    Ok(())
}
