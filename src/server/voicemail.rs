//! `voxtrunk voicemail`: the messages that callers left.

use std::path::Path;
use std::process::ExitCode;

use crate::config::glance::Glance;
use crate::config::paths::tidied;
use crate::engine::voicemail::note::{Job, Note, State};
use crate::engine::voicemail::shelf::Shelf;
use crate::server::console::paint::{Paint, harmless};
use crate::server::console::table::{Cell, Table};
use crate::server::secrets::answer;

/// Lists those of one voicemail, or all.
pub fn list(config: &Path, mailbox: Option<&str>) -> ExitCode {
    answer(shelf(config).map(|shelf| {
        let notes = shelf.notes(mailbox);
        if notes.is_empty() {
            return println!("there are no messages");
        }
        let mut table = Table::new(&["message", "voicemail", "when", "from", "length", "", "mail"]);
        for note in &notes {
            table.row(vec![
                Cell::new(&note.id),
                Cell::new(&note.mailbox),
                Cell::new(&note.at),
                Cell::new(note.caller()),
                Cell::new(note.length()),
                Cell::new(standing(note)),
                Cell::new(in_words(&note.mail)),
            ]);
        }
        print!("{}", table.print(Paint::for_stdout()));
    }))
}

/// Shows one; from then on it has been read.
pub fn show(config: &Path, name: &str) -> ExitCode {
    answer(found(config, name).and_then(|(shelf, note)| {
        println!("message     {}", note.id);
        println!("voicemail   {}", note.mailbox);
        println!("call        {}", note.call);
        println!("when        {}", note.at);
        println!("from        {}", harmless(&note.caller()));
        println!("length      {}", note.length());
        println!("sound       {}", tidied(&shelf.sound(&note)).display());
        println!("mail        {}", in_words(&note.mail));
        match (&note.transcript, &note.transcription) {
            (Some(said), _) => println!("\n{}", harmless(said)),
            (None, Job::None) => {}
            (None, job) => println!("transcript  {}", in_words(job)),
        }
        let seen = shelf.change(&note, |note| note.read = true);
        seen.map(|_| ()).map_err(|why| why.to_string())
    }))
}

/// Deletes one.
pub fn delete(config: &Path, name: &str) -> ExitCode {
    answer(found(config, name).and_then(|(shelf, note)| {
        shelf.delete(&note).map_err(|why| why.to_string())?;
        println!("deleted");
        Ok(())
    }))
}

fn found(config: &Path, name: &str) -> Result<(Shelf, Note), String> {
    let shelf = shelf(config)?;
    let note = shelf.find(name).ok_or_else(|| {
        format!("there is no message `{name}`: `voxtrunk voicemail list` names all")
    })?;
    Ok((shelf, note))
}

fn shelf(config: &Path) -> Result<Shelf, String> {
    let environment = |name: &str| std::env::var(name).ok();
    let glance = Glance::at(config, &environment).map_err(|why| why.to_string())?;
    let data = tidied(&glance.folder().join(glance.data()));
    Ok(Shelf::new(data.join("voicemail")))
}

fn standing(note: &Note) -> &'static str {
    match (note.state, note.read) {
        (State::Open, _) => "being left",
        (_, true) => "",
        (_, false) => "new",
    }
}

fn in_words(job: &Job) -> String {
    match job {
        Job::None => "-".to_owned(),
        Job::Pending { tries: 0, .. } => "to be done".to_owned(),
        Job::Pending { tries, .. } => format!("tried {tries} times"),
        Job::Done => "done".to_owned(),
        Job::Failed { why } => format!("failed: {why}"),
    }
}
