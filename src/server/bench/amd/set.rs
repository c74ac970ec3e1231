//! The labelled set: who answers, what is heard then, by which codec and through which noise. All of
//! it is spoken by the voices of this machine; nobody was recorded.

use crate::audio::codec::Codec;
use crate::call::amd::Verdict;
use crate::call::amd::Verdict::{Human, Machine, Screening, Unknown};

/// One who answers.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// Who it is.
    pub label: Verdict,
    /// Which voice speaks.
    pub voice: Speaker,
    /// What is heard, in order.
    pub heard: &'static [Sound],
}

/// What is heard.
#[derive(Debug, Clone, Copy)]
pub enum Sound {
    /// Nothing, for so many milliseconds.
    Quiet(u64),
    /// Words.
    Words(&'static str),
    /// A tone of one or two frequencies, for so many milliseconds.
    Tone([f32; 2], u64),
}

/// A voice of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speaker {
    /// flite, by the name of its voice.
    Flite(&'static str),
    /// espeak-ng, in its words.
    Espeak(&'static str),
}

/// How the sound of an item comes: it goes round with the place in the set.
pub fn line(place: usize) -> (Codec, i32) {
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G722];
    // The peak of the noise: none, a quiet line, an office.
    let noises = [0, 60, 250, 600];
    (codecs[place % codecs.len()], noises[place % noises.len()])
}

const fn item(label: Verdict, voice: Speaker, heard: &'static [Sound]) -> Item {
    Item { label, voice, heard }
}

use Sound::{Quiet, Tone, Words};
use Speaker::{Espeak, Flite};

const fn beep(hertz: f32, millis: u64) -> Sound {
    Tone([hertz, hertz], millis)
}

/// Those who answer.
pub const SET: &[Item] = &[
    item(Human, Flite("slt"), &[Quiet(500), Words("Hello?")]),
    item(Human, Flite("rms"), &[Quiet(300), Words("Hello.")]),
    item(Human, Flite("awb"), &[Quiet(900), Words("Yes?")]),
    item(Human, Flite("kal16"), &[Quiet(400), Words("Hi, this is Susan.")]),
    item(Human, Flite("slt"), &[Quiet(250), Words("Smith speaking.")]),
    item(Human, Flite("rms"), &[Quiet(600), Words("Good morning, Bob's garage.")]),
    item(Human, Flite("awb"), &[Quiet(1_600), Words("Hello?")]),
    item(Human, Espeak("en-us"), &[Quiet(500), Words("Hello?"), Quiet(1_800), Words("Hello?")]),
    item(Human, Espeak("en-gb"), &[Quiet(400), Words("Hello, Peter here.")]),
    item(Human, Espeak("en-us+f3"), &[Quiet(700), Words("Yeah, hello?")]),
    item(Human, Flite("slt"), &[Quiet(200), Words("Jackson residence.")]),
    item(Human, Flite("kal"), &[Quiet(350), Words("Sales department, good afternoon.")]),
    item(Human, Espeak("de"), &[Quiet(500), Words("Hallo?")]),
    item(Human, Espeak("de+f2"), &[Quiet(400), Words("Ja, bitte?")]),
    item(Human, Espeak("de+m3"), &[Quiet(300), Words("Müller.")]),
    item(Human, Espeak("de"), &[Quiet(600), Words("Müller, guten Tag.")]),
    item(Human, Espeak("de+f4"), &[Quiet(500), Words("Schmidt am Apparat.")]),
    item(Human, Espeak("de+m1"), &[Quiet(1_200), Words("Ja?")]),
    item(Human, Espeak("de+f2"), &[Quiet(400), Words("Autohaus Becker, Klein.")]),
    item(Human, Espeak("de"), &[Quiet(300), Words("Hallo."), Quiet(300), Words("Wer ist da?")]),
    item(
        Human,
        Espeak("de+f2"),
        &[Quiet(400), Words("Praxis Doktor Weber, mein Name ist Klein, was kann ich für Sie tun?")],
    ),
    item(
        Human,
        Flite("slt"),
        &[Quiet(400), Words("Thank you for calling Northside Dental, how can I help you?")],
    ),
    item(Human, Flite("rms"), &[Quiet(500), Words("Uh, hold on."), Quiet(2_500), Words("Hello?")]),
    item(Human, Espeak("en-us+m3"), &[Quiet(450), Words("Good afternoon, reception.")]),
    item(
        Machine,
        Flite("slt"),
        &[
            Quiet(400),
            Words("Hi, you have reached Susan. I can't come to the phone right now."),
            Quiet(300),
            Words("Please leave a message after the beep."),
            Quiet(700),
            beep(1_000.0, 400),
        ],
    ),
    item(
        Machine,
        Flite("rms"),
        &[
            Quiet(800),
            Words(
                "The person you have called is not available. Please leave a message at the tone.",
            ),
            Quiet(400),
            beep(850.0, 1_000),
        ],
    ),
    item(
        Machine,
        Flite("awb"),
        &[
            Quiet(300),
            Words("This is Doctor Brown's office. We are closed. Leave your name and number."),
            Quiet(1_200),
            Tone([440.0, 620.0], 500),
        ],
    ),
    item(
        Machine,
        Flite("kal16"),
        &[
            Quiet(600),
            Words("Your call has been forwarded to an automatic voice message system."),
            Quiet(500),
            Words("At the tone, please record your message."),
            Quiet(300),
            beep(1_400.0, 250),
        ],
    ),
    item(
        Machine,
        Espeak("en-us"),
        &[
            Quiet(500),
            Words("Hello. This is the voicemail of John Carter. Speak after the beep."),
            Quiet(600),
            beep(600.0, 300),
        ],
    ),
    item(
        Machine,
        Espeak("en-gb"),
        &[
            Quiet(450),
            Words("Sorry, we cannot take your call at the moment, but we will ring you back."),
            Quiet(900),
            beep(2_000.0, 150),
        ],
    ),
    item(
        Machine,
        Flite("slt"),
        &[
            Quiet(200),
            Words("Hi."),
            Quiet(350),
            Words("It's Mary and Tom, leave us a message and have a wonderful day."),
            Quiet(800),
            beep(1_100.0, 500),
        ],
    ),
    item(
        Machine,
        Flite("rms"),
        &[
            Quiet(1_000),
            Words("You have reached the mailbox of extension two zero four."),
            Quiet(500),
            beep(900.0, 200),
        ],
    ),
    item(Machine, Flite("awb"), &[Quiet(700), beep(1_000.0, 600)]),
    item(
        Machine,
        Flite("kal"),
        &[
            Quiet(300),
            Words("Hey, it's Mike, I'm not here, you know what to do."),
            Quiet(400),
            beep(1_250.0, 120),
        ],
    ),
    item(
        Machine,
        Espeak("en-us+f3"),
        &[
            Quiet(400),
            Words("Thank you for calling. Our office hours are Monday to Friday, nine to five."),
            Quiet(600),
            Words("Please call again."),
        ],
    ),
    item(
        Machine,
        Flite("slt"),
        &[
            Quiet(500),
            Words("Hello?"),
            Quiet(900),
            Words("Just kidding, this is a machine, leave a message after the beep."),
            Quiet(500),
            beep(800.0, 400),
        ],
    ),
    item(
        Machine,
        Espeak("de"),
        &[
            Quiet(500),
            Words("Guten Tag. Sie sind verbunden mit dem Anschluss von Familie Müller."),
            Quiet(300),
            Words("Bitte hinterlassen Sie eine Nachricht nach dem Signalton."),
            Quiet(700),
            beep(1_000.0, 500),
        ],
    ),
    item(
        Machine,
        Espeak("de+f2"),
        &[
            Quiet(400),
            Words("Der gewünschte Gesprächspartner ist zurzeit nicht erreichbar."),
            Quiet(500),
            Words("Sie können nach dem Piepton eine Nachricht hinterlassen."),
            Quiet(400),
            beep(1_200.0, 300),
        ],
    ),
    item(
        Machine,
        Espeak("de+m3"),
        &[
            Quiet(300),
            Words("Hier ist der Anrufbeantworter von Klaus Weber, ich bin gerade unterwegs."),
            Quiet(900),
            beep(950.0, 200),
        ],
    ),
    item(
        Machine,
        Espeak("de+f4"),
        &[
            Quiet(700),
            Words("Willkommen bei der Mobilbox von null eins sieben null, eins zwei drei."),
            Quiet(300),
            Words("Bitte sprechen Sie nach dem Ton."),
            Quiet(300),
            beep(2_300.0, 350),
        ],
    ),
    item(
        Machine,
        Espeak("de"),
        &[
            Quiet(400),
            Words(
                "Sie rufen außerhalb unserer Geschäftszeiten an. Unsere Praxis ist ab Montag wieder da.",
            ),
        ],
    ),
    item(
        Machine,
        Espeak("de+m1"),
        &[
            Quiet(600),
            Words(
                "Hallo, hier sind Anna und Jan, wir sind nicht da, sprecht uns einfach was drauf.",
            ),
            Quiet(1_500),
            Tone([850.0, 1_150.0], 400),
        ],
    ),
    item(
        Machine,
        Flite("kal16"),
        &[
            Quiet(900),
            Words("We're sorry, the subscriber you are calling cannot be reached. Try later."),
        ],
    ),
    item(
        Machine,
        Flite("rms"),
        &[
            Quiet(500),
            Words("Hello, Anderson."),
            Quiet(250),
            Words("Plumbing and heating, all our lines are busy, please leave a message."),
            Quiet(500),
            beep(700.0, 800),
        ],
    ),
    item(
        Machine,
        Espeak("en-gb"),
        &[
            Quiet(350),
            Words("Welcome to the messaging service, the number you dialled does not answer."),
            Quiet(700),
            beep(425.0, 300),
        ],
    ),
    item(
        Machine,
        Espeak("de+f2"),
        &[
            Quiet(500),
            Words("Dies ist die Mailbox von Sabine Klein."),
            Quiet(400),
            beep(1_750.0, 200),
        ],
    ),
    item(
        Screening,
        Flite("slt"),
        &[
            Quiet(400),
            Words(
                "Hi, if you record your name and reason for calling, I'll see if they are there.",
            ),
        ],
    ),
    item(
        Screening,
        Flite("rms"),
        &[
            Quiet(500),
            Words(
                "The person you are calling is using a screening service. Please say your name, and why you're calling.",
            ),
        ],
    ),
    item(
        Screening,
        Espeak("en-us"),
        &[Quiet(400), Words("Please state your name after which the call is connected.")],
    ),
    item(Screening, Flite("awb"), &[Quiet(500), Words("Hello, who is calling please?")]),
    item(
        Screening,
        Espeak("en-gb"),
        &[Quiet(300), Words("Good morning, may I ask who's calling?")],
    ),
    item(
        Screening,
        Flite("kal16"),
        &[
            Quiet(700),
            Words("This call is answered by a call assistant. What is the reason for your call?"),
        ],
    ),
    item(
        Screening,
        Espeak("de"),
        &[Quiet(500), Words("Bitte nennen Sie Ihren Namen und den Grund Ihres Anrufs.")],
    ),
    item(
        Screening,
        Espeak("de+f2"),
        &[
            Quiet(400),
            Words("Hallo, hier ist der Anrufassistent. Bitte sagen Sie, warum Sie anrufen."),
        ],
    ),
    item(Screening, Espeak("de+m3"), &[Quiet(500), Words("Wer ist am Apparat?")]),
    item(Screening, Espeak("de"), &[Quiet(300), Words("Guten Tag, mit wem spreche ich bitte?")]),
    item(Unknown, Flite("slt"), &[Quiet(8_000)]),
    item(Unknown, Flite("slt"), &[Quiet(8_000)]),
    item(Unknown, Flite("slt"), &[Quiet(8_000)]),
    item(Unknown, Flite("slt"), &[Quiet(8_000)]),
    item(Unknown, Flite("slt"), &[Tone([425.0, 425.0], 6_000)]),
    item(Unknown, Flite("rms"), &[Quiet(5_000), Words("Hello?")]),
];
