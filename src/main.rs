//! The door: the command line of voxtrunk.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use voxtrunk::server::console::{
    calls, campaigns, history, phones, queues, reload, schedules, status, top, trace, trunks,
    usage, webhooks,
};
use voxtrunk::server::control::protocol::{self, Action};
use voxtrunk::server::importing::command as import;
use voxtrunk::server::{
    bench, check, db, decrypt, deeds, demo, dial, fakes, flows, keys, memory, models, preset,
    providers, routes, schema, secrets, serve, tool, trial, verify, voicemail, whsec,
};

use self::choices::Taping;
use self::commands::{
    AuditCommand, Cli, Command, ConfigCommand, DbCommand, Delays, FlowCommand, Import, KeyCommand,
    MemoryCommand, ModelsCommand, PresetCommand, ProvidersCommand, RouteCommand, SecretCommand,
    Test, ToolCommand, VoicemailCommand, WebhookCommand,
};
use self::insights::CdrCommand;
use self::lines::{
    CallCommand, CampaignCommand, Dial, DncCommand, OneCampaign, PhoneCommand, QueueCommand,
    RecordingCommand, ScheduleCommand, SipCommand, TrunkCommand,
};
use self::place::Config;

#[path = "main/choices.rs"]
mod choices;
#[path = "main/commands.rs"]
mod commands;
#[path = "main/insights.rs"]
mod insights;
#[path = "main/lines.rs"]
mod lines;
#[path = "main/place.rs"]
mod place;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(Config { config }) => serve::run(&config),
        Command::Check { config, format, probe } => {
            let depth = if probe { check::Depth::Providers } else { check::Depth::Files };
            check::run(&config.config, format.report(), depth)
        }
        Command::Demo { config, once } => demo::run(&config, once),
        Command::Call { command: Some(command), .. } => call(command),
        Command::Call { command: None, dial } => on_dial(*dial),
        Command::Status(server) => status::show(&server.target()),
        Command::Reload { dry_run, server } => reload::run(&server.target(), dry_run),
        Command::Secret { command } => on_secrets(command),
        Command::Audit { command } => on_audit(command),
        Command::Key { command } => on_keys(command),
        Command::Memory { command } => on_memory(command),
        Command::Voicemail { command } => on_voicemail(command),
        Command::Config { command } => on_files(command),
        Command::Db { command } => on_database(command),
        Command::Webhook { command } => on_webhooks(command),
        Command::Events(server) => status::watch(&server.target()),
        Command::Trunk { command } => trunk(command),
        Command::Recording { command } => recording(command),
        Command::Phone { command: PhoneCommand::List(server) } => phones::list(&server.target()),
        Command::Analytics(wanted) => wanted.run(),
        Command::Cdr { command: CdrCommand::Export(wanted) } => wanted.run(),
        Command::Usage(server) => usage::list(&server.target()),
        Command::Queue { command } => queue(command),
        Command::Campaign { command } => campaign(command),
        Command::Schedule { command: ScheduleCommand::List(server) } => {
            schedules::list(&server.target())
        }
        Command::Sip { command: SipCommand::Trace { wish, server } } => {
            trace::run(&server.target(), wish.order())
        }
        Command::Schema { file } => schema::show(file.file()),
        Command::Preset { command } => on_presets(command),
        Command::Route { command: RouteCommand::Test { call, json, config } } => {
            routes::test(&config.config, &call, json)
        }
        Command::Providers { command: ProvidersCommand::Test(it) } => providers::run(&it.config),
        Command::Tool { command } => on_tools(command),
        Command::Flow { command } => on_flows(command),
        Command::Import(wanted) => on_import(wanted),
        Command::Test(wanted) => on_tests(wanted),
        Command::Models { command } => on_models(command),
        Command::Fakes(delays) => on_fakes(delays),
        Command::Bench { group, lasts, json } => on_bench((group, lasts), json),
    }
}

fn on_bench((group, soak): (bench::Group, Duration), json: bool) -> ExitCode {
    bench::run(bench::Order { group, json, soak })
}

fn on_fakes(Delays { hears, thinks, per_word, speaks }: Delays) -> ExitCode {
    fakes::run(fakes::Delays { hears, thinks, per_word, speaks })
}

fn on_flows(FlowCommand::Test { name, config }: FlowCommand) -> ExitCode {
    flows::test(&config.config, &name)
}

fn on_dial(dial: Dial) -> ExitCode {
    dial::run(dial::Order {
        target: dial.target.unwrap_or_default(),
        from: dial.from,
        say: dial.say,
        wav: dial.wav,
        dtmf: dial.dtmf,
        codecs: dial.codecs,
        ptime: dial.ptime,
        srtp: dial.srtp,
        insecure_sdes: dial.insecure_sdes,
        record: dial.record,
        ca: dial.ca,
        config: dial.config.config,
    })
}

fn on_memory(command: MemoryCommand) -> ExitCode {
    match command {
        MemoryCommand::Show { number, tenant, config } => {
            memory::show(&config.config, (&tenant, &number))
        }
        MemoryCommand::Forget { number, tenant, config } => {
            memory::forget(&config.config, (&tenant, &number))
        }
    }
}

fn on_voicemail(command: VoicemailCommand) -> ExitCode {
    match command {
        VoicemailCommand::List { mailbox, config } => {
            voicemail::list(&config.config, mailbox.as_deref())
        }
        VoicemailCommand::Show { id, config } => voicemail::show(&config.config, &id),
        VoicemailCommand::Delete { id, config } => voicemail::delete(&config.config, &id),
    }
}

fn on_tests(Test { paths, filter, json, config }: Test) -> ExitCode {
    trial::run(&config.config, &trial::Order { paths, filter, json })
}

fn on_import(wanted: Import) -> ExitCode {
    let Import { platform, file, into, local, dry_run, force, json } = wanted;
    let platform = platform.platform();
    import::run(&import::Order { platform, file, into, local, dry_run, force, json })
}

fn on_tools(ToolCommand::Run { name, args, config }: ToolCommand) -> ExitCode {
    tool::run(&config.config, &name, &args)
}

fn on_presets(command: PresetCommand) -> ExitCode {
    match command {
        PresetCommand::List => preset::list(),
        PresetCommand::Show { name } => preset::show(&name),
    }
}

fn on_secrets(command: SecretCommand) -> ExitCode {
    match command {
        SecretCommand::Set { name, config } => secrets::set(&config.config, &name),
        SecretCommand::List(config) => secrets::list(&config.config),
        SecretCommand::Remove { name, config } => secrets::remove(&config.config, &name),
    }
}

fn on_audit(command: AuditCommand) -> ExitCode {
    match command {
        AuditCommand::List { limit, json, config } => deeds::list(&config.config, limit, json),
        AuditCommand::Verify { json, config } => deeds::verify(&config.config, json),
    }
}

fn on_keys(command: KeyCommand) -> ExitCode {
    match command {
        KeyCommand::Create { name, scope, expires, per_day, config } => {
            let (scope, lasts, daily) = (scope.scope(), expires, per_day);
            let order = keys::Order { name: &name, scope, lasts, daily };
            keys::create(&config.config, &order)
        }
        KeyCommand::List(config) => keys::list(&config.config),
        KeyCommand::Revoke { key, config } => keys::revoke(&config.config, &key),
    }
}

fn on_files(command: ConfigCommand) -> ExitCode {
    match command {
        ConfigCommand::History { json, config } => history::list(&config.config, json),
        ConfigCommand::Rollback { number, config } => history::roll_back(&config.config, number),
    }
}

fn on_database(command: DbCommand) -> ExitCode {
    match command {
        DbCommand::Migrate { dry_run, config } => db::migrate(&config.config, dry_run),
        DbCommand::Backup { file, config } => db::backup(&config.config, &file),
        DbCommand::Check(config) => db::check(&config.config),
    }
}

fn on_webhooks(command: WebhookCommand) -> ExitCode {
    match command {
        WebhookCommand::List(server) => webhooks::list(&server.target()),
        WebhookCommand::Test { name, server } => webhooks::test(&server.target(), name),
        WebhookCommand::Log { name, state, limit, server } => {
            webhooks::log(&server.target(), protocol::WebhookLog { name, state, limit })
        }
        WebhookCommand::Replay { name, event, dead: _, server } => {
            webhooks::replay(&server.target(), protocol::Replay { name, event })
        }
        WebhookCommand::Secret => whsec::make(),
    }
}

fn trunk(command: TrunkCommand) -> ExitCode {
    match command {
        TrunkCommand::List(server) => trunks::list(&server.target()),
        TrunkCommand::Show { name, server } => trunks::show(&server.target(), name),
        TrunkCommand::Test { name, server } => trunks::test(&server.target(), name),
    }
}

fn queue(command: QueueCommand) -> ExitCode {
    match command {
        QueueCommand::List(server) => queues::list(&server.target()),
        QueueCommand::Pause { member, server } => queues::pause(&server.target(), member, true),
        QueueCommand::Resume { member, server } => queues::pause(&server.target(), member, false),
    }
}

fn campaign(command: CampaignCommand) -> ExitCode {
    let order = |one: OneCampaign, action| campaigns::order(&one.server.target(), one.name, action);
    match command {
        CampaignCommand::List(server) => campaigns::list(&server.target()),
        CampaignCommand::Show(one) => campaigns::show(&one.server.target(), one.name),
        CampaignCommand::Start(one) => order(one, Action::Start),
        CampaignCommand::Pause(one) => order(one, Action::Pause),
        CampaignCommand::Resume(one) => order(one, Action::Resume),
        CampaignCommand::Stop(one) => order(one, Action::Stop),
        CampaignCommand::Results { one, csv } => {
            campaigns::results(&one.server.target(), one.name, csv)
        }
        CampaignCommand::Dnc { command: DncCommand::Add { number, server } } => {
            campaigns::no_calls(&server.target(), number)
        }
    }
}

fn recording(command: RecordingCommand) -> ExitCode {
    match command {
        RecordingCommand::Decrypt { file, out, key, incomplete, config } => {
            decrypt::run(&decrypt::Order { file, out, key, incomplete, config: config.config })
        }
        RecordingCommand::Verify { paths, config } => verify::run(&paths, &config.config),
    }
}

fn on_models(command: ModelsCommand) -> ExitCode {
    match command {
        ModelsCommand::List { place, json } => models::list(&place.place(), json),
        ModelsCommand::Pull { names, from, place } => {
            models::pull(&place.place(), &names, from.as_deref())
        }
        ModelsCommand::Verify { names, place } => models::verify(&place.place(), &names),
    }
}

fn call(command: CallCommand) -> ExitCode {
    match command {
        CallCommand::List(list) => list.run(),
        CallCommand::Top(server) => top::run(&server.target()),
        CallCommand::Show { id, server } => calls::show(&server.target(), id),
        CallCommand::Originate(order) => order.run(),
        CallCommand::Mute { id, server } => calls::mute(&server.target(), id, true),
        CallCommand::Unmute { id, server } => calls::mute(&server.target(), id, false),
        CallCommand::Hold { id, server } => calls::hold(&server.target(), id, true),
        CallCommand::Unhold { id, server } => calls::hold(&server.target(), id, false),
        CallCommand::Hangup { id, cause, server } => calls::hang_up(&server.target(), id, cause),
        CallCommand::Listen(oversight) => oversight.arrange(protocol::Role::Listen),
        CallCommand::Whisper(oversight) => oversight.arrange(protocol::Role::Whisper),
        CallCommand::Barge(oversight) => oversight.arrange(protocol::Role::Barge),
        CallCommand::Transfer { id, to, mode, brief, server } => {
            let mode = mode.into();
            calls::transfer(&server.target(), protocol::Transfer { id, to, mode, brief })
        }
        CallCommand::Say { id, text, end, server } => {
            calls::say(&server.target(), protocol::Say { id, text, end })
        }
        CallCommand::Dtmf { id, digits, server } => {
            calls::press(&server.target(), protocol::Press { id, digits })
        }
        CallCommand::Record { id, action, server } => {
            let action = match action {
                Taping::Pause => protocol::Taping::Pause,
                Taping::Resume => protocol::Taping::Resume,
            };
            calls::record(&server.target(), id, action)
        }
    }
}
