"""Sends the file by Amazon SES, as a role of the job's owner."""

from email.message import EmailMessage
from email.policy import SMTP

from chalicelib.executors.base import Call
from chalicelib.executors.report.sources import refused
from chalicelib.executors.report.spec import Config, Mail

MAX_ATTACHED = 7_340_032
"""Bytes: SES takes 10 MB, of which base64 is a third."""


def send(call: Call, mail: Mail, config: Config, file: bytes, media_type: str) -> str:
    """SES's id of the mail. CloudError, Unavailable, NoReport."""
    if len(file) > MAX_ATTACHED:
        raise refused(f"The file has {len(file)} bytes, too many for a mail; it was stored.")
    client = call.cloud.client("sesv2", role_arn=mail.role_arn, region=mail.region)
    answer = client.send_email(
        FromEmailAddress=mail.sender,
        Destination={"ToAddresses": list(mail.to)},
        Content={"Raw": {"Data": message(call.run_id, mail, config, file, media_type).as_bytes()}},
    )
    return str(answer["MessageId"])


def message(run_id: str, mail: Mail, config: Config, file: bytes, media_type: str) -> EmailMessage:
    """The mail, with the file attached. Its headers hold one line each: EmailMessage sees to that."""
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"] = mail.sender, ", ".join(mail.to)
    made["Subject"] = mail.subject or config.title
    made["X-Chronos-Run-Id"] = run_id
    made.set_content(mail.text or config.title)
    main, _, sub = media_type.partition(";")[0].partition("/")
    made.add_attachment(file, maintype=main, subtype=sub, filename=config.file_name)
    return made
