//! Spoils good inputs: repeatable for a seed, and without any knowledge of what the octets mean.

use voxtrunk::base::random::Random;

/// Makes one spoilt input after the other out of seeds.
pub struct Spoiler {
    seeds: Vec<Vec<u8>>,
    random: Random,
}

impl Spoiler {
    /// Makes a spoiler of at least one seed; the same number makes the same inputs.
    pub fn new(seeds: Vec<Vec<u8>>, number: u64) -> Self {
        assert!(!seeds.is_empty(), "a target has a corpus");
        Self { seeds, random: Random::repeatable(number) }
    }

    /// Makes the next input.
    pub fn spoil(&mut self) -> Vec<u8> {
        let mut octets = self.seed();
        if self.random.below(16) == 0 {
            octets = self.married(octets);
        }
        for _ in 0..=self.random.below(6) {
            self.damage(&mut octets);
        }
        octets.truncate(MOST);
        octets
    }

    fn seed(&mut self) -> Vec<u8> {
        let place = self.random.below(self.seeds.len() as u32) as usize;
        self.seeds[place].clone()
    }

    /// The front of one seed and the back of another one.
    fn married(&mut self, front: Vec<u8>) -> Vec<u8> {
        let back = self.seed();
        let (cut, rest) = (self.place(&front), self.place(&back));
        [&front[..cut], &back[rest..]].concat()
    }

    fn damage(&mut self, octets: &mut Vec<u8>) {
        let at = self.place(octets);
        let end = (at + self.random.below(48) as usize).min(octets.len());
        match self.random.below(8) {
            0 => octets.insert(at, self.random.u32() as u8),
            1 if at < octets.len() => octets[at] = self.random.u32() as u8,
            2 if at < octets.len() => octets[at] ^= 1 << self.random.below(8),
            3 => drop(octets.drain(at..end)),
            4 => {
                let piece = octets[at..end].to_vec();
                let to = self.place(octets);
                drop(octets.splice(to..to, piece));
            }
            5 if self.random.below(8) == 0 => octets.truncate(at),
            _ => {
                let word = WORDS[self.random.below(WORDS.len() as u32) as usize];
                let end = if self.random.below(2) == 0 { at } else { end.min(at + word.len()) };
                drop(octets.splice(at..end, word.iter().copied()));
            }
        }
    }

    /// A place in or just behind the octets.
    fn place(&mut self, octets: &[u8]) -> usize {
        self.random.below(octets.len() as u32 + 1) as usize
    }
}

/// Longer inputs only cost time.
const MOST: usize = 4_096;

/// What means something somewhere.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\r",
    b"\n",
    b"\r\n ",
    b"\"",
    b"\\",
    b"<",
    b">",
    b";",
    b",",
    b":",
    b"=",
    b"@",
    b"%",
    b"%00",
    b"?",
    b"[",
    b"]",
    b"[::1]",
    b"\0",
    b"\x7f",
    b"\xff",
    b"\xc3",
    b"\xe2\x80\xae",
    b"4294967296",
    b"2147483648",
    b"65536",
    b"-1",
    b"0",
    b"99999999999999999999999",
    b"Content-Length: 0\r\n",
    b"l: 9\r\n",
    b"SIP/2.0",
    b"sip:",
    b"tel:+",
    b";tag=",
    b";branch=z9hG4bK",
    b";lr",
    b";rport",
    b"ACK",
    b"CANCEL",
    b"BYE",
    b"Via: ",
    b"To: ",
    b"m=audio 0 RTP/AVP 0\r\n",
    b"a=rtpmap:",
    b"IN IP6 ::",
    b"Digest ",
    b"\xff\xff\xff\xff",
    b"\x80\xc9",
    b"==",
    b".",
];
