using './main.bicep'

param name = 'from-file'
