from django.db import migrations, models
from django.db.models import Value
from django.db.models.functions import Concat, Upper


class Migration(migrations.Migration):
    dependencies = [("library", "0012_report_view")]
    operations = [
        migrations.DeleteModel("Loan"),
        migrations.AlterModelOptions("book", {"ordering": [models.F("title").asc()]}),
        migrations.AddField(
            "writer",
            "shelf_mark",
            models.GeneratedField(
                expression=Concat(Upper("country"), Value("-"), "name"),
                output_field=models.CharField(max_length=130),
                db_persist=True,
            ),
        ),
    ]
