//! How often the door stayed shut, by reason.

/// Why a datagram or a call was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It came from nobody we know.
    Stranger,
    /// Its source asks too much.
    SourceRate,
    /// All sources of its class together ask too much.
    SharedRate,
    /// Its source is banned.
    Banned,
    /// A password was wrong.
    WrongPassword,
    /// A scanner said its name.
    Scanner,
    /// Somebody without a password tried numbers that cost.
    TollNumber,
    /// It could not be read.
    Malformed,
    /// A trunk brings too many calls at once or a second.
    TrunkLimit,
    /// A tenant has too many calls at once.
    TenantLimit,
    /// A tenant has used up the minutes of its month.
    TenantMinutes,
    /// A phone has too many calls at once, or writes too many texts.
    PhoneLimit,
    /// A number is called too often at once.
    NumberLimit,
    /// There is no room for another call.
    Full,
}

/// Counters by reason, since the beginning.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    counts: [u64; Reason::ALL.len()],
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::Stranger,
        Self::SourceRate,
        Self::SharedRate,
        Self::Banned,
        Self::WrongPassword,
        Self::Scanner,
        Self::TollNumber,
        Self::Malformed,
        Self::TrunkLimit,
        Self::TenantLimit,
        Self::TenantMinutes,
        Self::PhoneLimit,
        Self::NumberLimit,
        Self::Full,
    ];

    /// The label of a metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::SourceRate => "source_rate",
            Self::SharedRate => "shared_rate",
            Self::Banned => "banned",
            Self::WrongPassword => "wrong_password",
            Self::Scanner => "scanner",
            Self::TollNumber => "toll_number",
            Self::Malformed => "malformed",
            Self::TrunkLimit => "trunk_limit",
            Self::TenantLimit => "tenant_limit",
            Self::TenantMinutes => "tenant_minutes",
            Self::PhoneLimit => "phone_limit",
            Self::NumberLimit => "number_limit",
            Self::Full => "full",
        }
    }
}

impl Tally {
    /// Counts one.
    pub fn count(&mut self, reason: Reason) {
        if let Some(count) = self.counts.get_mut(reason as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// How many there were.
    pub fn of(&self, reason: Reason) -> u64 {
        self.counts.get(reason as usize).copied().unwrap_or_default()
    }

    /// Every reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().map(|reason| (reason, self.of(reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        let mut tally = Tally::default();
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            (0..=at).for_each(|_| tally.count(reason));
        }
        let counts: Vec<u64> = tally.iter().map(|(_, count)| count).collect();
        assert_eq!(counts, (1..=14).collect::<Vec<u64>>());
    }
}
