//! Who pays for calls, in virtual time.

use proptest::prelude::*;

use super::*;

struct Bench {
    purse: Purse,
    now: Instant,
    wall: Duration,
}

impl Bench {
    fn new(allowances: &[(Account, Allowance)]) -> Self {
        let rate = |pattern: &str, price| (pattern.parse().expect("a pattern"), price);
        let settings = Settings {
            zone: "Europe/Berlin".parse().expect("a zone"),
            currency: "EUR".parse().ok(),
            rates: vec![rate("+49*", 10_000), rate("+4915*", 90_000)],
            trunks: HashMap::from([("cheap".into(), vec![rate("+49*", 5_000)])]),
            unpriced: 1_000_000,
            allowances: allowances.iter().cloned().collect(),
            zones: HashMap::new(),
        };
        let zone: Zone = "Europe/Berlin".parse().expect("a zone");
        let noon = zone.since_epoch("2026-11-30 12:00".parse().expect("a time"));
        let mut bench = Self {
            purse: Purse::new(settings, Ledger::default()),
            now: Instant::now(),
            wall: noon.expect("a moment"),
        };
        bench.wait(Duration::ZERO);
        bench
    }

    fn wait(&mut self, span: Duration) -> Vec<SessionId> {
        (self.now, self.wall) = (self.now + span, self.wall + span);
        self.purse.date(self.wall);
        std::iter::from_fn(|| self.purse.tick(self.now)).collect()
    }

    fn ring(&mut self, session: u64, trunk: &str, number: &str) -> Result<(), Short> {
        let fare = self.purse.fare((&trunk.into(), None), number, None);
        self.purse.can_pay(SessionId(session), &fare)?;
        self.purse.begin(SessionId(session), fare);
        Ok(())
    }

    fn answer(&mut self, session: u64) {
        self.purse.answered(self.now, SessionId(session));
    }

    fn spent(&self, account: &Account) -> Sum {
        self.purse.spent(account).today
    }
}

fn trunk(name: &str) -> Account {
    Account::Trunk(name.into())
}

#[test]
fn a_minute_costs_what_the_most_exact_price_says_of_the_trunk_first() {
    let bench = Bench::new(&[]);
    let price = |trunk: &str, number| bench.purse.fare((&trunk.into(), None), number, None).price;
    assert_eq!(price("any", "+4930123456"), 10_000);
    assert_eq!(price("any", "+4915112345678"), 90_000);
    assert_eq!(price("cheap", "+4915112345678"), 5_000);
    assert_eq!(price("cheap", "+33123456789"), 1_000_000);
}

#[test]
fn the_hundred_and_first_minute_is_not_begun_and_the_call_ends_at_once() {
    let allowance = Allowance { daily_minutes: Some(100), ..Allowance::default() };
    let mut bench = Bench::new(&[(Account::Server, allowance)]);
    bench.ring(1, "t", "+4930123456").expect("there are minutes");
    bench.answer(1);
    for minute in 1..100 {
        assert!(bench.wait(MINUTE).is_empty(), "minute {minute}");
    }
    assert_eq!(bench.spent(&Account::Server).minutes_out, 100);
    assert!(bench.wait(MINUTE - Duration::from_millis(1)).is_empty());
    assert_eq!(bench.wait(Duration::from_millis(1)), [SessionId(1)]);
    let short = bench.ring(2, "t", "+4930123456").expect_err("no minutes");
    assert_eq!(short.to_string(), "the minutes of the day of server are used up");
    bench.purse.over(SessionId(1));
    // A new day.
    bench.wait(Duration::from_secs(12 * 3_600));
    bench.ring(3, "t", "+4930123456").expect("there are minutes again");
}

#[test]
fn calls_that_ring_at_once_do_not_spend_the_same_money() {
    let allowance = Allowance { daily_budget: Some(25_000), ..Allowance::default() };
    let mut bench = Bench::new(&[(trunk("t"), allowance)]);
    bench.ring(1, "t", "+4930123456").expect("money");
    bench.ring(2, "t", "+4930123456").expect("money");
    let short = Short { account: trunk("t"), limit: Limit::DailyBudget };
    assert_eq!(bench.ring(3, "t", "+4930123456"), Err(short));
    bench.ring(4, "cheap", "+4930123456").expect("another trunk has its own");
    bench.purse.over(SessionId(2));
    bench.ring(5, "t", "+4930123456").expect("what was put aside is there again");
    bench.answer(1);
    bench.answer(1);
    assert_eq!(bench.spent(&trunk("t")).spent, 10_000, "an answer counts once");
}

#[test]
fn who_called_in_is_not_cut_off_but_the_next_one_is_not_let_in() {
    let acme = Account::Tenant("acme".into());
    let allowance = Allowance { monthly_minutes: Some(2), ..Allowance::default() };
    let mut bench = Bench::new(&[(acme.clone(), allowance)]);
    let fare = Fare { accounts: vec![acme.clone()], price: 0, is_out: false };
    assert!(bench.purse.can_pay(SessionId(1), &fare).is_ok());
    bench.purse.begin(SessionId(1), fare.clone());
    bench.answer(1);
    assert!(bench.wait(MINUTE).is_empty() && bench.wait(MINUTE).is_empty());
    assert_eq!(bench.spent(&acme).minutes_in, 3);
    let short = bench.purse.can_pay(SessionId(2), &fare).expect_err("no minutes");
    assert_eq!((short.account, short.limit), (acme, Limit::MonthlyMinutes));
    // The next day is in the next month.
    bench.wait(Duration::from_secs(12 * 3_600));
    assert!(bench.purse.can_pay(SessionId(2), &fare).is_ok());
}

#[test]
fn whoever_comes_near_a_limit_is_told_of_once_and_again_when_it_is_reached() {
    let allowance = Allowance { daily_minutes: Some(5), ..Allowance::default() };
    let agent = Payer { agent: "sales".into(), allowance };
    let mut bench = Bench::new(&[]);
    bench.purse.allow(&agent);
    let fare = bench.purse.fare((&"t".into(), None), "+4930123456", Some(&agent));
    bench.purse.begin(SessionId(1), fare.clone());
    bench.answer(1);
    for _ in 0..6 {
        bench.wait(MINUTE);
    }
    let news: Vec<News> = std::iter::from_fn(|| bench.purse.poll()).collect();
    let said = |is_spent| News {
        short: Short { account: Account::Agent("sales".into()), limit: Limit::DailyMinutes },
        is_spent,
    };
    assert_eq!(news, [said(false), said(true)]);
    bench.purse.refused(&said(true).short);
    assert!(bench.purse.poll().is_none());
}

#[test]
fn the_minutes_of_a_month_are_told_of_once_a_month_whenever_it_begins() {
    let acme = Account::Tenant("acme".into());
    let allowance = Allowance { monthly_minutes: Some(2), ..Allowance::default() };
    let mut bench = Bench::new(&[(acme.clone(), allowance)]);
    let talk = |bench: &mut Bench, session| {
        bench.purse.begin(SessionId(session), Fare::of_caller("acme".into()));
        bench.answer(session);
        bench.wait(MINUTE);
        bench.purse.over(SessionId(session));
        std::iter::from_fn(|| bench.purse.poll()).count()
    };
    assert_eq!(talk(&mut bench, 1), 1, "most is spent");
    assert_eq!(talk(&mut bench, 2), 0);
    // Nobody calls on the first of December.
    bench.wait(Duration::from_secs(40 * 3_600));
    assert_eq!(talk(&mut bench, 3), 1, "another month");
    bench.wait(Duration::from_secs(24 * 3_600));
    assert_eq!(talk(&mut bench, 4), 0, "another day of it");
}

#[test]
fn what_was_spent_outlives_the_purse() {
    let allowance = Allowance { daily_budget: Some(10_000), ..Allowance::default() };
    let mut bench = Bench::new(&[(Account::Server, allowance)]);
    bench.ring(1, "t", "+4930123456").expect("money");
    bench.answer(1);
    let text = serde_json::to_string(bench.purse.changed().expect("changed")).expect("JSON");
    assert!(bench.purse.changed().is_none());
    let ledger: Ledger = serde_json::from_str(&text).expect("a ledger");
    let mut again = Bench::new(&[(Account::Server, allowance)]);
    again.purse.ledger = ledger;
    assert!(again.ring(2, "t", "+4930123456").is_err(), "{text}");
    let lines = again.purse.report();
    let names: Vec<String> = lines.iter().map(|line| line.account.to_string()).collect();
    assert_eq!(names, ["server", "trunk:t"]);
}

proptest! {
    /// Whatever rings, is answered and ends: no account ever pays more than it may.
    #[test]
    fn nobody_pays_more_than_he_may(steps in prop::collection::vec((0_u64..6, 0_u8..4, 1_u64..90), 1..200)) {
        let may = Allowance { daily_budget: Some(75_000), daily_minutes: Some(9), ..Allowance::default() };
        let mut bench = Bench::new(&[(Account::Server, may), (trunk("cheap"), may)]);
        for (session, what, seconds) in steps {
            match what {
                0 => drop(bench.ring(session, "t", "+4930123456")),
                1 => drop(bench.ring(session, "cheap", "+4930123456")),
                2 => bench.answer(session),
                _ => bench.purse.over(SessionId(session)),
            }
            for cut in bench.wait(Duration::from_secs(seconds)) {
                bench.purse.over(cut);
            }
            for account in [Account::Server, trunk("cheap")] {
                let sum = bench.spent(&account);
                prop_assert!(sum.spent <= 75_000 && sum.minutes_out <= 9, "{sum:?}");
            }
        }
    }
}
