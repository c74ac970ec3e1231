//! Units of measure as they are written and said.

use super::locale::Locale;

/// A unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    written: &'static str,
    english: [&'static str; 2],
    german: [&'static str; 2],
    feminine: bool,
}

impl Unit {
    /// The unit that is written so after a number.
    pub fn written(text: &str) -> Option<&'static Self> {
        UNITS.iter().find(|unit| unit.written == text)
    }

    /// Its name for one or for many.
    pub fn name(&self, one: bool, locale: Locale) -> &'static str {
        let names = locale.pick(self.english, self.german);
        if one { names[0] } else { names[1] }
    }

    /// Whether German counts it as "eine".
    pub fn is_feminine(&self) -> bool {
        self.feminine
    }
}

const fn unit(
    written: &'static str,
    english: [&'static str; 2],
    german: [&'static str; 2],
) -> Unit {
    Unit { written, english, german, feminine: false }
}

const fn feminine(
    written: &'static str,
    english: [&'static str; 2],
    german: [&'static str; 2],
) -> Unit {
    Unit { written, english, german, feminine: true }
}

const UNITS: &[Unit] = &[
    unit("%", ["percent", "percent"], ["Prozent", "Prozent"]),
    unit("‰", ["per mille", "per mille"], ["Promille", "Promille"]),
    unit("km", ["kilometer", "kilometers"], ["Kilometer", "Kilometer"]),
    unit("m", ["meter", "meters"], ["Meter", "Meter"]),
    unit("cm", ["centimeter", "centimeters"], ["Zentimeter", "Zentimeter"]),
    unit("mm", ["millimeter", "millimeters"], ["Millimeter", "Millimeter"]),
    unit("m²", ["square meter", "square meters"], ["Quadratmeter", "Quadratmeter"]),
    unit("m2", ["square meter", "square meters"], ["Quadratmeter", "Quadratmeter"]),
    unit("qm", ["square meter", "square meters"], ["Quadratmeter", "Quadratmeter"]),
    unit("m³", ["cubic meter", "cubic meters"], ["Kubikmeter", "Kubikmeter"]),
    unit(
        "km²",
        ["square kilometer", "square kilometers"],
        ["Quadratkilometer", "Quadratkilometer"],
    ),
    unit("ft", ["foot", "feet"], ["Fuß", "Fuß"]),
    unit("mi", ["mile", "miles"], ["Meile", "Meilen"]),
    unit("kg", ["kilogram", "kilograms"], ["Kilogramm", "Kilogramm"]),
    unit("g", ["gram", "grams"], ["Gramm", "Gramm"]),
    unit("mg", ["milligram", "milligrams"], ["Milligramm", "Milligramm"]),
    feminine("t", ["ton", "tons"], ["Tonne", "Tonnen"]),
    unit("lb", ["pound", "pounds"], ["Pfund", "Pfund"]),
    unit("lbs", ["pound", "pounds"], ["Pfund", "Pfund"]),
    feminine("oz", ["ounce", "ounces"], ["Unze", "Unzen"]),
    unit("l", ["liter", "liters"], ["Liter", "Liter"]),
    unit("L", ["liter", "liters"], ["Liter", "Liter"]),
    unit("ml", ["milliliter", "milliliters"], ["Milliliter", "Milliliter"]),
    unit(
        "km/h",
        ["kilometer per hour", "kilometers per hour"],
        ["Stundenkilometer", "Stundenkilometer"],
    ),
    unit("mph", ["mile per hour", "miles per hour"], ["Meile pro Stunde", "Meilen pro Stunde"]),
    unit("°C", ["degree Celsius", "degrees Celsius"], ["Grad Celsius", "Grad Celsius"]),
    unit("°F", ["degree Fahrenheit", "degrees Fahrenheit"], ["Grad Fahrenheit", "Grad Fahrenheit"]),
    unit("°", ["degree", "degrees"], ["Grad", "Grad"]),
    feminine("h", ["hour", "hours"], ["Stunde", "Stunden"]),
    feminine("Std.", ["hour", "hours"], ["Stunde", "Stunden"]),
    feminine("Std", ["hour", "hours"], ["Stunde", "Stunden"]),
    feminine("min", ["minute", "minutes"], ["Minute", "Minuten"]),
    feminine("Min.", ["minute", "minutes"], ["Minute", "Minuten"]),
    feminine("Min", ["minute", "minutes"], ["Minute", "Minuten"]),
    feminine("sec", ["second", "seconds"], ["Sekunde", "Sekunden"]),
    feminine("Sek.", ["second", "seconds"], ["Sekunde", "Sekunden"]),
    feminine("s", ["second", "seconds"], ["Sekunde", "Sekunden"]),
    feminine("ms", ["millisecond", "milliseconds"], ["Millisekunde", "Millisekunden"]),
    unit("W", ["watt", "watts"], ["Watt", "Watt"]),
    unit("kW", ["kilowatt", "kilowatts"], ["Kilowatt", "Kilowatt"]),
    feminine("kWh", ["kilowatt hour", "kilowatt hours"], ["Kilowattstunde", "Kilowattstunden"]),
    unit("V", ["volt", "volts"], ["Volt", "Volt"]),
    unit("MB", ["megabyte", "megabytes"], ["Megabyte", "Megabyte"]),
    unit("GB", ["gigabyte", "gigabytes"], ["Gigabyte", "Gigabyte"]),
    unit("TB", ["terabyte", "terabytes"], ["Terabyte", "Terabyte"]),
    unit("kB", ["kilobyte", "kilobytes"], ["Kilobyte", "Kilobyte"]),
    unit(
        "Mbit/s",
        ["megabit per second", "megabits per second"],
        ["Megabit pro Sekunde", "Megabit pro Sekunde"],
    ),
    unit("Hz", ["hertz", "hertz"], ["Hertz", "Hertz"]),
    unit("kHz", ["kilohertz", "kilohertz"], ["Kilohertz", "Kilohertz"]),
    unit("PS", ["horsepower", "horsepower"], ["P S", "P S"]),
    unit("Stk.", ["piece", "pieces"], ["Stück", "Stück"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_names_for_one_and_many() {
        let hour = Unit::written("h").expect("hours");
        assert_eq!(hour.name(true, Locale::german()), "Stunde");
        assert_eq!(hour.name(false, Locale::american()), "hours");
        assert!(hour.is_feminine());
        assert_eq!(Unit::written("parsec"), None);
    }
}
